import { expect, test } from 'vitest'
import { describeApis } from './protocol-docs.ts'

test('describeApis lists every API with its versions and where it becomes flexible', () => {
  const lines = describeApis().split('\n')
  expect(lines).toContain('| 0 | Produce | 3–13 | 9 |')
  expect(lines).toContain('| 17 | SaslHandshake | 0–1 | – |')
  expect(lines).toContain('| 61 | DescribeProducers | 0 | 0 |')
})
