import { expect, test } from 'vitest'
import { parseProperties } from './properties.ts'

test('names and values, with =, : or a blank between them', () => {
  expect(parseProperties('a=1\nb : 2\r\n  c 3\nd=\ne\nf==x=y')).toEqual({
    a: '1',
    b: '2',
    c: '3',
    d: '',
    e: '',
    f: '=x=y',
  })
})

test('comments and empty lines are passed over, also between continued lines', () => {
  expect(parseProperties('# one\n! two\n\na=1 # not a comment\n')).toEqual({ a: '1 # not a comment' })
})

test('a backslash at the end continues the line; two of them do not', () => {
  expect(parseProperties('a=one,\\\n   two\nb=c:\\\\\nd=last\\')).toEqual({ a: 'one,two', b: 'c:\\', d: 'last' })
})

test('escapes as Java reads them', () => {
  expect(parseProperties('a\\:b=\\u00e9\\t\\d\\=\\ \nc=${env:X}')).toEqual({ 'a:b': 'é\td= ', c: '${env:X}' })
})

test('what is no setting is named by its line', () => {
  expect(() => parseProperties('a=1\n=2')).toThrow('line 2: expected name=value')
  expect(() => parseProperties('a=\\u12')).toThrow('line 1: \\u needs four hexadecimal digits')
})
