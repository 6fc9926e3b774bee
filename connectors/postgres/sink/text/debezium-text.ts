import { Decimal, type Schema } from '@tidewire/sdk'
import type { Encode } from './encode.ts'
import { circleText, ewkbText, lineText, nativeGeometryText, pointText } from './geometry-text.ts'
import { hstoreText } from './hstore-text.ts'
import { jsonText } from './json-text.ts'
import { dateText, isoText, microsOf, timestampText, timeText, type TimeUnit } from './moment-text.ts'
import { structuredEncoder } from './structured-text.ts'
import { isBits, isNumber, isText, type TargetType } from './target-type.ts'

/**
 * How values of Debezium's named schemas (io.debezium.time, .data, .data.geometry) are written to a column.
 * @returns undefined where the name changes nothing: the value is written by the type that its schema is of
 */
export function debeziumEncoder(schema: Schema, target: TargetType): Encode | undefined {
  const name = /^io\.debezium\.(?:time|data(?:\.geometry)?)\.(\w+)$/.exec(schema.name ?? '')?.[1]
  if (name === undefined) return undefined
  if (name.startsWith('Structured')) return structuredEncoder(name)
  return timeEncoder(name, target) ?? dataEncoder(name, schema, target) ?? geometryEncoder(name, target)
}

function timeEncoder(name: string, target: TargetType): Encode | undefined {
  // Counts stay counts in a column of numbers.
  if (isNumber(target)) return undefined
  switch (name) {
    case 'Date':
      return (days) => dateText(days as number)
    case 'Time':
      return (millis) => timeText((millis as number) * 1000)
    case 'MicroTime':
      return (micros) => timeText(micros as number)
    case 'NanoTime':
      return (nanos) => timeText(Math.floor((nanos as number) / 1000))
    case 'Timestamp':
      return timestampEncoder('millis', target)
    case 'MicroTimestamp':
      return timestampEncoder('micros', target)
    case 'NanoTimestamp':
      return timestampEncoder('nanos', target)
    case 'IsoDate':
    case 'IsoTime':
    case 'IsoTimestamp':
      return isText(target) ? undefined : (text) => isoText(text as string, true)
    case 'ZonedTimestamp':
    case 'ZonedTime':
      return isText(target) ? undefined : (text) => isoText(text as string, false)
    case 'MicroDuration':
      return (micros) => durationText(micros as number | bigint)
    case 'NanoDuration':
      return (nanos) => durationText(microsOf(nanos as number | bigint, 'nanos'))
    default:
      return undefined
  }
}

/** Debezium's timestamps are those of a wall clock; for a column that keeps instants it is that of UTC. */
function timestampEncoder(unit: TimeUnit, target: TargetType): Encode {
  const zone = target.name === 'timestamptz' ? '+00' : ''
  return (count) => timestampText(count as number | bigint, unit, zone)
}

/** `-12:34:56.789012`: an interval of nothing but time. */
function durationText(count: number | bigint): string {
  const micros = BigInt(count)
  const magnitude = micros < 0n ? -micros : micros
  const seconds = magnitude / 1_000_000n
  const fraction = String(magnitude % 1_000_000n).padStart(6, '0')
  return `${micros < 0n ? '-' : ''}${seconds / 3600n}:${pad((seconds / 60n) % 60n)}:${pad(seconds % 60n)}.${fraction}`
}

const pad = (value: bigint): string => String(value).padStart(2, '0')

function dataEncoder(name: string, schema: Schema, target: TargetType): Encode | undefined {
  switch (name) {
    case 'VariableScaleDecimal':
      return (value) => String(variableScale(value as { scale: number; value: Uint8Array }))
    case 'Bits':
      return isBits(target) ? bitsEncoder(target, Number(schema.parameters?.['length'])) : undefined
    case 'Json':
      return target.name === 'hstore' ? (text) => hstoreText(JSON.parse(text as string)) : undefined
    case 'DoubleVector':
    case 'FloatVector':
      // pgvector's form; an array of numbers takes the usual one.
      return target.elements === undefined ? (numbers) => `[${(numbers as readonly number[]).join(',')}]` : undefined
    case 'SparseDoubleVector':
      return target.name === 'sparsevec' ? (value) => sparseText(value as SparseVector) : jsonText
    default:
      return undefined
  }
}

function variableScale({ scale, value }: { readonly scale: number; readonly value: Uint8Array }): Decimal {
  const hex = Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex')
  return new Decimal(BigInt.asIntN(value.length * 8, BigInt(`0x${hex === '' ? '0' : hex}`)), scale)
}

/** bit(n) has all its bits; of varbit, those before the first that is set are not told. */
function bitsEncoder({ name }: TargetType, length: number): Encode {
  return (value) => {
    let text = ''
    for (const byte of value as Uint8Array) text = byte.toString(2).padStart(8, '0') + text
    const bits = text.replace(/^0+/, '')
    return name === 'bit' && length < 2_147_483_647 ? bits.padStart(length, '0') : bits
  }
}

interface SparseVector {
  readonly dimensions: number
  readonly vector: ReadonlyMap<number, number>
}

function sparseText({ dimensions, vector }: SparseVector): string {
  return `{${[...vector].map(([index, value]) => `${index}:${value}`).join(',')}}/${dimensions}`
}

function geometryEncoder(name: string, { name: type }: TargetType): Encode | undefined {
  switch (name) {
    case 'Point':
      if (type === 'point') return (value) => pointText(value as Parameters<typeof pointText>[0])
      return isPostgis(type) ? ewkb : jsonText
    case 'Geometry':
    case 'Geography':
      if (isPostgis(type)) return ewkb
      if (type === 'bytea') return (value) => String.raw`\x${ewkb(value)}`
      return (value) => nativeGeometryText(value as Parameters<typeof nativeGeometryText>[0], type) ?? jsonText(value)
    case 'Circle':
      return type === 'circle' ? (value) => circleText(value as Parameters<typeof circleText>[0]) : jsonText
    case 'Line':
      return type === 'line' ? (value) => lineText(value as Parameters<typeof lineText>[0]) : jsonText
    default:
      return undefined
  }
}

const isPostgis = (type: string): boolean => type === 'geometry' || type === 'geography'

const ewkb = (value: unknown): string => ewkbText(value as Parameters<typeof ewkbText>[0])
