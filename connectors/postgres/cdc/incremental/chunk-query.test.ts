import { describe, expect, test } from 'vitest'
import { chunkQuery, lastPlaceQuery, readPlace } from './chunk-query.ts'
import { endOfRecords } from './read-chunk.ts'

const table = {
  from: 'ONLY "public"."item"',
  order: [
    { name: 'a', type: 'integer' },
    { name: 'b"c', type: 'numeric(10,2)' },
  ],
}

describe('chunkQuery', () => {
  test('selects what comes after a place, up to the last one', () => {
    const query = chunkQuery(
      table,
      ['a', 'name'],
      { after: ['1', "it's"], to: ['9', 'back\\slash'], condition: 'x OR y' },
      5,
    )
    expect(query).toBe(
      `SELECT "a", "b""c", "a", "name" FROM ONLY "public"."item"` +
        ` WHERE ("a", "b""c") > ('1'::integer, 'it''s'::numeric(10,2))` +
        ` AND ("a", "b""c") <= ('9'::integer,  E'back\\\\slash'::numeric(10,2)) AND (x OR y)` +
        ` ORDER BY "a", "b""c" LIMIT 5`,
    )
  })

  test('begins with the first row, under no condition', () => {
    const query = chunkQuery(table, [], { after: undefined, to: ['1', '2'], condition: undefined }, 5)
    expect(query).toContain(`WHERE ("a", "b""c") <= ('1'::integer, '2'::numeric(10,2)) ORDER`)
  })

  test('looks for the last place', () => {
    expect(lastPlaceQuery(table, 'x')).toBe(
      `SELECT "a", "b""c" FROM ONLY "public"."item" WHERE (x) ORDER BY "a" DESC, "b""c" DESC LIMIT 1`,
    )
  })
})

test('readPlace undoes the escapes of COPY, and says where the row goes on', () => {
  const bytes = Buffer.from('no\n1\ta\\tb\\\\N\trest\tmore\n')
  expect(readPlace(bytes, 3, bytes.length - 1, 2)).toEqual({ place: ['1', 'a\tb\\N'], next: 13 })
  const short = Buffer.from('1\t\nnext\tline\n')
  expect(readPlace(short, 0, 2, 2)).toEqual({ place: ['1', ''], next: 3 })
})

test('endOfRecords leaves out the header of a page that has nothing else yet', () => {
  const page = 8192
  expect([0, 24, 40, 41, 100, page - 1].map((inPage) => endOfRecords(5 * page + inPage, page) - 5 * page)).toEqual([
    0,
    0,
    0,
    41,
    100,
    page - 1,
  ])
})
