import { describe, expect, test } from 'vitest'
import * as extensions from './extension-types.ts'
import * as geometry from './geometry.ts'
import type { Mapping } from './mapping.ts'

const read = (mapping: Mapping, text: string): unknown => mapping.read(Buffer.from(text), 0, text.length)
const wkb = (base64: string): Buffer => Buffer.from(base64, 'base64')

/** Texts of the server, values of Debezium 3.7. */
describe('geometry', () => {
  test('a point', () => {
    const expected = { x: 1.5, y: -2, wkb: wkb('AQEAAAAAAAAAAAD4PwAAAAAAAADA') }
    expect(read(geometry.point, '(1.5,-2)')).toEqual(expected)
  })

  test.each([
    [
      ...(['box', '(3,4),(1,2)', geometry.box, { type: 'box' }] as const),
      'AQMAAAABAAAABQAAAAAAAAAAAAhAAAAAAAAAEEAAAAAAAAAIQAAAAAAAAABAAAAAAAAA8D8AAAAAAAAAQAAAAAAAAPA/AAAAAAAAEEAAAAAAAAAIQAAAAAAAABBA',
    ],
    [
      ...(['lseg', '[(1,2),(3,4)]', geometry.lseg, { type: 'lseg' }] as const),
      'AQIAAAACAAAAAAAAAAAA8D8AAAAAAAAAQAAAAAAAAAhAAAAAAAAAEEA=',
    ],
    [
      ...(['path', '((1,2),(3,4),(5,6))', geometry.path, { type: 'path', closed: 'true' }] as const),
      'AQIAAAADAAAAAAAAAAAA8D8AAAAAAAAAQAAAAAAAAAhAAAAAAAAAEEAAAAAAAAAUQAAAAAAAABhA',
    ],
    [
      ...(['open path', '[(1,2),(3,4)]', geometry.path, { type: 'path', closed: 'false' }] as const),
      'AQIAAAACAAAAAAAAAAAA8D8AAAAAAAAAQAAAAAAAAAhAAAAAAAAAEEA=',
    ],
    [
      ...(['polygon', '((1,2),(3,4),(5,6))', geometry.polygon, { type: 'polygon' }] as const),
      'AQMAAAABAAAABAAAAAAAAAAAAPA/AAAAAAAAAEAAAAAAAAAIQAAAAAAAABBAAAAAAAAAFEAAAAAAAAAYQAAAAAAAAPA/AAAAAAAAAEA=',
    ],
  ] as const)('%s', (_, text, mapping, extensionsOf, base64) => {
    expect(read(mapping, text)).toEqual({ wkb: wkb(base64), extensions: new Map(Object.entries(extensionsOf)) })
  })

  test('a ring that is closed already', () => {
    const { wkb: bytes } = read(geometry.polygon, '((0,0),(1,1),(0,0))') as { wkb: Buffer }
    expect(bytes.readUInt32LE(9)).toBe(3)
  })

  test('a circle and a line', () => {
    expect(read(geometry.circle, '<(1,2),3>')).toEqual({
      center: { x: 1, y: 2, wkb: wkb('AQEAAAAAAAAAAADwPwAAAAAAAABA') },
      radius: 3,
    })
    expect(read(geometry.line, '{1,2,3}')).toEqual({ a: 1, b: 2, c: 3 })
  })

  test('of PostGIS, with and without an SRID, in either byte order', () => {
    const point = '0101000020E61000000000000000000000000000000000F03F'
    expect(read(geometry.geometry, point)).toEqual({ wkb: Buffer.from(point, 'hex'), srid: 4326 })
    const without = '0101000000000000000000F03F0000000000000040'
    expect(read(geometry.geography, without)).toEqual({ wkb: Buffer.from(without, 'hex') })
    expect(read(geometry.geometry, '0020000001000010E6')).toMatchObject({ srid: 4326 })
  })
})

describe('vectors', () => {
  test('dense', () => {
    expect(read(extensions.vector, '[1,2.5,-3e-05]')).toEqual([1, 2.5, -3e-5])
    expect(read(extensions.halfvec, '[1,0.1]')).toEqual([1, Math.fround(0.1)])
  })

  test('sparse', () => {
    expect(read(extensions.sparsevec, '{1:1.5,3:2}/5')).toEqual({
      dimensions: 5,
      vector: new Map([
        [1, 1.5],
        [3, 2],
      ]),
    })
    expect(read(extensions.sparsevec, '{}/3')).toEqual({ dimensions: 3, vector: new Map() })
    expect(() => read(extensions.sparsevec, '{1:1}/40000')).toThrow(/column\.exclude\.list/)
  })
})
