import { schema, type Schema } from '@tidewire/sdk'
import type { Mapping, ReadText } from './mapping.ts'

/** Schemas and values of io.debezium.data.geometry: WKB, little-endian, of two dimensions. */

const wkb = schema.bytes()
const srid = schema.int32({ optional: true })
const text = schema.string()

const pointSchema: Schema = schema.struct(
  { x: schema.float64(), y: schema.float64(), wkb: schema.bytes({ optional: true }), srid },
  { name: 'io.debezium.data.geometry.Point', version: 1, doc: 'Geometry (POINT)' },
)
// Optional even in a column without NULL: so it is in Debezium.
const geometrySchema: Schema = schema.struct(
  { wkb, srid, extensions: schema.map(text, text, { optional: true }) },
  { name: 'io.debezium.data.geometry.Geometry', version: 2, doc: 'Geometry', optional: true },
)
const geographySchema: Schema = schema.struct(
  { wkb, srid },
  { name: 'io.debezium.data.geometry.Geography', version: 1, doc: 'Geography' },
)
const circleSchema: Schema = schema.struct(
  { center: pointSchema, radius: schema.float64() },
  { name: 'io.debezium.data.geometry.Circle', version: 1, doc: 'Geometry (CIRCLE)', optional: true },
)
const lineSchema: Schema = schema.struct(
  { a: schema.float64(), b: schema.float64(), c: schema.float64() },
  { name: 'io.debezium.data.geometry.Line', version: 1, doc: 'Geometry (LINE)', optional: true },
)

const wkbKinds = { point: 1, lineString: 2, polygon: 3 }

/** `(1.5,-2)`. */
export const point: Mapping = {
  schema: pointSchema,
  read: (bytes, start, end) => {
    const [x, y] = numbersIn(bytes, start, end)
    return pointOf(x!, y!)
  },
  empty: pointOf(0, 0),
}

/** `(3,4),(1,2)`: a polygon of its four corners. */
export const box: Mapping = {
  schema: geometrySchema,
  read: (bytes, start, end) => {
    const [x1, y1, x2, y2] = numbersIn(bytes, start, end)
    return geometryOf(polygonOf([x1!, y1!, x1!, y2!, x2!, y2!, x2!, y1!, x1!, y1!]), { type: 'box' })
  },
  empty: geometryOf(polygonOf([0, 0, 0, 1, 1, 1, 1, 0, 0, 0]), { type: 'box' }),
}

/** `[(1,2),(3,4)]`. */
export const lseg: Mapping = {
  schema: geometrySchema,
  read: (bytes, start, end) => geometryOf(lineStringOf(numbersIn(bytes, start, end)), { type: 'lseg' }),
  empty: geometryOf(lineStringOf([0, 0, 1, 0]), { type: 'lseg' }),
}

/** `((1,2),(3,4))` is closed, `[(1,2),(3,4)]` is open. */
export const path: Mapping = {
  schema: geometrySchema,
  read: (bytes, start, end) => {
    const closed = bytes[start] === 0x28 ? 'true' : 'false'
    return geometryOf(lineStringOf(numbersIn(bytes, start, end)), { type: 'path', closed })
  },
  empty: geometryOf(lineStringOf([0, 0, 1, 0]), { type: 'path' }),
}

/** `((1,2),(3,4),(5,6))`: in WKB a ring ends where it begins. */
export const polygon: Mapping = {
  schema: geometrySchema,
  read: (bytes, start, end) => {
    const points = numbersIn(bytes, start, end)
    const [x, y] = points
    const closed = points.length < 4 || (points.at(-2) === x && points.at(-1) === y)
    return geometryOf(polygonOf(closed ? points : [...points, x!, y!]), { type: 'polygon' })
  },
  empty: geometryOf(polygonOf([0, 0, 1, 0, 0, 1, 0, 0]), { type: 'polygon' }),
}

/** `<(1,2),3>`. */
export const circle: Mapping = {
  schema: circleSchema,
  read: (bytes, start, end) => {
    const [x, y, radius] = numbersIn(bytes, start, end)
    return { center: pointOf(x!, y!), radius }
  },
  empty: { center: pointOf(0, 0), radius: 0 },
}

/** `{1,2,3}`: the line 1x + 2y + 3 = 0. */
export const line: Mapping = {
  schema: lineSchema,
  read: (bytes, start, end) => {
    const [a, b, c] = numbersIn(bytes, start, end)
    return { a, b, c }
  },
  empty: { a: 0, b: 1, c: 0 },
}

/** GEOMETRYCOLLECTION EMPTY. */
const nothing = { wkb: Buffer.from('010700000000000000', 'hex') }

/** PostGIS, whose text is EWKB in hexadecimal digits. */
const readEwkb: ReadText = (bytes, start, end) => {
  const ewkb = Buffer.from(bytes.toString('latin1', start, end), 'hex')
  const littleEndian = ewkb[0] !== 0
  const kind = ewkb.length < 9 ? 0 : littleEndian ? ewkb.readUInt32LE(1) : ewkb.readUInt32BE(1)
  if ((kind & 0x20000000) === 0) return { wkb: ewkb }
  return { wkb: ewkb, srid: littleEndian ? ewkb.readInt32LE(5) : ewkb.readInt32BE(5) }
}

export const geometry: Mapping = { schema: geometrySchema, read: readEwkb, empty: nothing }
export const geography: Mapping = { schema: geographySchema, read: readEwkb, empty: nothing }

function pointOf(x: number, y: number): object {
  const bytes = Buffer.alloc(21)
  writeHeader(bytes, wkbKinds.point)
  bytes.writeDoubleLE(x, 5)
  bytes.writeDoubleLE(y, 13)
  return { x, y, wkb: bytes }
}

function geometryOf(bytes: Buffer, extensions: Readonly<Record<string, string>>): object {
  return { wkb: bytes, extensions: new Map(Object.entries(extensions)) }
}

function lineStringOf(points: readonly number[]): Buffer {
  const bytes = Buffer.alloc(9 + points.length * 8)
  writeHeader(bytes, wkbKinds.lineString)
  writePoints(bytes, 5, points)
  return bytes
}

function polygonOf(ring: readonly number[]): Buffer {
  const bytes = Buffer.alloc(13 + ring.length * 8)
  writeHeader(bytes, wkbKinds.polygon)
  bytes.writeUInt32LE(1, 5)
  writePoints(bytes, 9, ring)
  return bytes
}

function writeHeader(bytes: Buffer, kind: number): void {
  bytes.writeUInt8(1, 0)
  bytes.writeUInt32LE(kind, 1)
}

function writePoints(bytes: Buffer, at: number, points: readonly number[]): void {
  bytes.writeUInt32LE(points.length / 2, at)
  points.forEach((value, index) => bytes.writeDoubleLE(value, at + 4 + index * 8))
}

function numbersIn(bytes: Buffer, start: number, end: number): number[] {
  return bytes
    .toString('latin1', start, end)
    .replaceAll(/[()<>[\]{}]/g, '')
    .split(',')
    .map(Number)
}
