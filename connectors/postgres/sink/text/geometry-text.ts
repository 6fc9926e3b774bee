import { DataError } from '@tidewire/sdk'

/** Debezium's structs of io.debezium.data.geometry in the text form of PostgreSQL's types, or of PostGIS. */

interface Geometry {
  readonly wkb: Uint8Array
  readonly srid?: number | null
  readonly extensions?: ReadonlyMap<string, string> | Readonly<Record<string, string>> | null
}

interface Point {
  readonly x: number
  readonly y: number
}

export function pointText({ x, y }: Point): string {
  return `(${x},${y})`
}

export function circleText({ center, radius }: { readonly center: Point; readonly radius: number }): string {
  return `<${pointText(center)},${radius}>`
}

export function lineText({ a, b, c }: { readonly a: number; readonly b: number; readonly c: number }): string {
  return `{${a},${b},${c}}`
}

/** For PostGIS: EWKB in hexadecimal digits, with the SRID put in where it stands beside the WKB. */
export function ewkbText({ wkb, srid }: Geometry): string {
  const bytes = bufferOf(wkb)
  if (srid === undefined || srid === null || bytes.length < 5) return bytes.toString('hex')
  const isLittle = bytes[0] === 1
  const kind = isLittle ? bytes.readUInt32LE(1) : bytes.readUInt32BE(1)
  if ((kind & sridFlag) !== 0) return bytes.toString('hex')
  const head = Buffer.alloc(9)
  head[0] = bytes[0]!
  if (isLittle) head.writeInt32LE(srid, 5)
  else head.writeInt32BE(srid, 5)
  const flagged = (kind | sridFlag) >>> 0
  if (isLittle) head.writeUInt32LE(flagged, 1)
  else head.writeUInt32BE(flagged, 1)
  return head.toString('hex') + bytes.toString('hex', 5)
}

const sridFlag = 0x20000000

/**
 * For PostgreSQL's own geometric types.
 * @throws DataError where the WKB is of another kind
 */
export function nativeGeometryText(value: Geometry, type: string): string | undefined {
  switch (type) {
    case 'box': {
      const ring = pointsOf(value, wkbPolygon)
      return `${textOf(ring[0])},${textOf(ring[2])}`
    }
    case 'lseg':
      return `[${pointsOf(value, wkbLineString).map(textOf).join(',')}]`
    case 'path': {
      const points = pointsOf(value, wkbLineString).map(textOf).join(',')
      return extensionOf(value, 'closed') === 'true' ? `(${points})` : `[${points}]`
    }
    case 'polygon': {
      const ring = pointsOf(value, wkbPolygon)
      return `(${ring
        .slice(0, isClosed(ring) ? -1 : ring.length)
        .map(textOf)
        .join(',')})`
    }
    default:
      return undefined
  }
}

const wkbLineString = 2
const wkbPolygon = 3

function extensionOf({ extensions }: Geometry, name: string): string | undefined {
  if (extensions === undefined || extensions === null) return undefined
  return extensions instanceof Map
    ? (extensions as ReadonlyMap<string, string>).get(name)
    : (extensions as Readonly<Record<string, string>>)[name]
}

function isClosed(ring: readonly Point[]): boolean {
  const [first, last] = [ring[0], ring.at(-1)]
  return ring.length > 1 && first!.x === last!.x && first!.y === last!.y
}

function textOf(point: Point | undefined): string {
  if (point === undefined) throw badWkb()
  return pointText(point)
}

/** The points of a line string, or of the one ring of a polygon. */
function pointsOf({ wkb }: Geometry, kind: typeof wkbLineString | typeof wkbPolygon): Point[] {
  const bytes = bufferOf(wkb)
  const isLittle = bytes[0] === 1
  const uint32 = (at: number): number => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at))
  const double = (at: number): number => (isLittle ? bytes.readDoubleLE(at) : bytes.readDoubleBE(at))
  const start = kind === wkbPolygon ? 9 : 5
  if (bytes.length < start + 4 || (uint32(1) & 0xff) !== kind) throw badWkb()
  const count = uint32(start)
  if (bytes.length < start + 4 + count * 16) throw badWkb()
  return Array.from({ length: count }, (_, index) => {
    const at = start + 4 + index * 16
    return { x: double(at), y: double(at + 8) }
  })
}

function badWkb(): DataError {
  return new DataError('a geometry is not of the kind that its column takes', { code: 'POSTGRES_GEOMETRY' })
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
