import { expect, test } from 'vitest'
import { withoutContextPath } from './context-path.ts'

test.each([
  ['/subjects/a/versions?x=1', '/subjects/a/versions?x=1'],
  ['/contexts', '/contexts'],
  ['/contexts/.c', '/contexts/.c'],
  ['/contexts/.c/subjects/a/versions/1?deleted=true', '/subjects/%3A.c%3Aa/versions/1?deleted=true'],
  ['/contexts/c/subjects/a', '/subjects/%3A.c%3Aa'],
  ['/contexts/%3A.c%3A/subjects/a%2Fb', '/subjects/%3A.c%3Aa%2Fb'],
  ['/contexts/./subjects/a', '/subjects/a'],
  ['/contexts/.c/subjects/:.d:a', '/subjects/:.d:a'],
  ['/contexts/.c/compatibility/subjects/a/versions', '/compatibility/subjects/%3A.c%3Aa/versions'],
  ['/contexts/.c/config', '/config/%3A.c%3A'],
  ['/contexts/./config', '/config'],
  ['/contexts/.c/mode/a', '/mode/%3A.c%3Aa'],
  ['/contexts/.c/subjects', '/subjects?subjectPrefix=%3A.c%3A'],
  ['/contexts/.c/schemas?subjectPrefix=a', '/schemas?subjectPrefix=%3A.c%3Aa'],
  ['/contexts/.c/schemas/ids/1', '/schemas/ids/1?subject=%3A.c%3A'],
  ['/contexts/.c/schemas/ids/1/versions?subject=a', '/schemas/ids/1/versions?subject=%3A.c%3Aa'],
  ['/contexts/.c/schemas/types', '/schemas/types'],
])('%s stands for %s', (given, expected) => {
  expect(withoutContextPath(given)).toBe(expected)
})

test('what is no context is refused', () => {
  expect(() => withoutContextPath('/contexts/a%3Ab/subjects')).toThrow(TypeError)
  expect(() => withoutContextPath('/contexts/%E0%A4%A/subjects')).toThrow(TypeError)
})
