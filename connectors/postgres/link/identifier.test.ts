import { expect, test } from 'vitest'
import { quoteIdentifier, quoteLiteral, tableName } from './identifier.ts'

test('names and texts cannot leave their quotes', () => {
  expect(quoteIdentifier('a"b')).toBe('"a""b"')
  expect(quoteIdentifier('a\0"; DROP')).toBe('"a""; DROP"')
  expect(quoteLiteral("it's")).toBe("'it''s'")
  expect(quoteLiteral("\\'; DROP")).toBe(" E'\\\\''; DROP'")
  expect(tableName({ schema: 'S', table: 'a.b' })).toBe('"S"."a.b"')
})
