import type { Schema } from '@tidewire/sdk'
import { schema } from '@tidewire/sdk'
import { arrayMapping } from './array.ts'
import { binaryMapping, opaqueMapping, type BinaryMode } from './binary.ts'
import { bitsMapping } from './bits.ts'
import { moneyMapping, numericMapping } from './decimal.ts'
import { defaultOf } from './defaults.ts'
import * as extensions from './extension-types.ts'
import * as geometry from './geometry.ts'
import { intervalMapping } from './interval.ts'
import type { Mapping } from './mapping.ts'
import { readBoolean, readDouble, readInteger, readSingle } from './numbers.ts'
import { oids } from './oids.ts'
import * as temporal from './temporal.ts'
import { readText } from './text.ts'
import type { PgType, TypeCatalog } from './type-catalog.ts'
import { unavailableOf } from './unavailable.ts'

/** A column as the catalog or a relation message describes it. */
export interface PgColumn {
  readonly name: string
  readonly typeOid: number
  /** atttypmod: −1 for none. */
  readonly typeModifier: number
  readonly nullable: boolean
  /** pg_get_expr of its default. */
  readonly defaultSql?: string
}

/** Debezium's settings on types. */
export interface TypeOptions {
  /** `decimal.handling.mode`. */
  readonly decimal: 'precise' | 'double' | 'string'
  /** `time.precision.mode`. */
  readonly time: temporal.TimeMode
  /** `interval.handling.mode`. */
  readonly interval: 'numeric' | 'string'
  /** `hstore.handling.mode`. */
  readonly hstore: 'json' | 'map'
  /** `binary.handling.mode`. */
  readonly binary: BinaryMode
  /** `money.fraction.digits`. */
  readonly moneyFractionDigits: number
  /** `unavailable.value.placeholder`. */
  readonly unavailable: string
  /** `include.unknown.datatypes`. */
  readonly includeUnknown: boolean
}

/** Reads one column's values; made once for a table's shape. */
export interface ColumnReader {
  readonly schema: Schema
  /**
   * A value that is not NULL, from the bytes [start, end) of its text form, COPY's escapes undone. Nothing of the value
   * points into `bytes`.
   * @throws DataError when the schema has no place for the value (NaN in a Decimal); its message does not name the column
   */
  readonly read: (bytes: Buffer, start: number, end: number) => unknown
  /** What stands for a TOASTed value that was not sent. Null, or the type's zero, where the type cannot say so. */
  readonly unavailable: unknown
  /**
   * What stands for the value in an old row of which the server sent the key alone: null, or, in a column without NULL,
   * the default or else the type's zero.
   */
  readonly absent: unknown
  /** The default of the schema. */
  readonly default?: unknown
}

/**
 * The reader of a column, with the schema and the values that Debezium gives it.
 * @returns undefined for a type that Debezium leaves out: the caller says so once, and leaves the column out
 */
export function columnReader(column: PgColumn, catalog: TypeCatalog, options: TypeOptions): ColumnReader | undefined {
  const root = catalog.rootOf(column.typeOid, column.typeModifier)
  const mapping = root && mappingOf(root.type, root.modifier, catalog, options)
  if (mapping === undefined) return undefined
  // The default of a domain's column is none in Debezium.
  const isDomain = root!.type.oid !== column.typeOid
  const value =
    column.defaultSql === undefined || isDomain ? undefined : defaultOf(root!.type, mapping, column.defaultSql)
  const hasNull = column.nullable || mapping.schema.optional === true
  return {
    schema: {
      ...mapping.schema,
      ...(column.nullable && { optional: true }),
      ...(value !== undefined && { default: value }),
    },
    read: mapping.read,
    unavailable: unavailableOf(mapping, options.unavailable) ?? (hasNull ? null : mapping.empty),
    absent: column.nullable ? null : (value ?? mapping.empty),
    ...(value !== undefined && { default: value }),
  }
}

function mappingOf(type: PgType, modifier: number, catalog: TypeCatalog, options: TypeOptions): Mapping | undefined {
  const mapping = knownMapping(type, modifier, catalog, options)
  return mapping ?? (options.includeUnknown ? opaqueMapping(options.binary) : undefined)
}

function knownMapping(type: PgType, modifier: number, catalog: TypeCatalog, options: TypeOptions): Mapping | undefined {
  switch (type.kind) {
    case 'array':
      return arrayOf(type, modifier, catalog, options)
    case 'enum':
      return named('Enum', { allowed: type.labels.join(',') })
    case 'range':
    case 'multirange':
      return text
    case 'base':
      return builtin(type.oid, modifier, options) ?? extension(type.name, options)
    default:
      return undefined
  }
}

/** Debezium leaves out the arrays of some types that it shows, and of domains; here each type's have its elements' form. */
function arrayOf(type: PgType, modifier: number, catalog: TypeCatalog, options: TypeOptions): Mapping | undefined {
  const element = catalog.rootOf(type.elementOid, modifier)
  const mapping = element && mappingOf(element.type, element.modifier, catalog, options)
  return mapping && arrayMapping(mapping, catalog.get(type.elementOid)!.delimiter)
}

const text: Mapping = { schema: schema.string(), read: readText, empty: '' }

/** A text with a name of Debezium's. */
function named(name: string, parameters?: Readonly<Record<string, string>>): Mapping {
  const fullName = `io.debezium.data.${name}`
  return { ...text, schema: schema.string({ name: fullName, version: 1, ...(parameters && { parameters }) }) }
}

const integer = (type: 'int16' | 'int32' | 'int64'): Mapping => ({ schema: { type }, read: readInteger, empty: 0 })

const mappings = {
  bool: { schema: schema.boolean(), read: readBoolean, empty: false },
  int16: integer('int16'),
  int32: integer('int32'),
  int64: integer('int64'),
  float32: { schema: schema.float32(), read: readSingle, empty: 0 },
  float64: { schema: schema.float64(), read: readDouble, empty: 0 },
  json: named('Json'),
  xml: named('Xml'),
  uuid: named('Uuid'),
  tsvector: named('Tsvector'),
  ltree: named('Ltree'),
} satisfies Record<string, Mapping>

function builtin(oid: number, modifier: number, options: TypeOptions): Mapping | undefined {
  switch (oid) {
    case oids.bool:
      return mappings.bool
    case oids.int2:
      return mappings.int16
    case oids.int4:
      return mappings.int32
    case oids.int8:
    case oids.oid:
      return mappings.int64
    case oids.float4:
      return mappings.float32
    case oids.float8:
      return mappings.float64
    case oids.text:
    case oids.varchar:
    case oids.bpchar:
    case oids.char:
    case oids.name:
    case oids.inet:
    case oids.cidr:
    case oids.macaddr:
    case oids.macaddr8:
      return text
    case oids.json:
    case oids.jsonb:
      return mappings.json
    case oids.xml:
      return mappings.xml
    case oids.uuid:
      return mappings.uuid
    case oids.tsvector:
      return mappings.tsvector
    case oids.numeric:
      return numericMapping(modifier, options.decimal)
    case oids.money:
      return moneyMapping(options.moneyFractionDigits, options.decimal)
    case oids.bytea:
      return binaryMapping(options.binary)
    case oids.bit:
    case oids.varbit:
      return bitsMapping(modifier)
    default:
      return temporalMapping(oid, modifier, options) ?? geometric(oid)
  }
}

function temporalMapping(oid: number, modifier: number, options: TypeOptions): Mapping | undefined {
  switch (oid) {
    case oids.date:
      return temporal.dateMapping(options.time)
    case oids.time:
      return temporal.timeMapping(modifier, options.time)
    case oids.timetz:
      return temporal.zonedTimeMapping(modifier, options.time)
    case oids.timestamp:
      return temporal.timestampMapping(modifier, options.time)
    case oids.timestamptz:
      return temporal.zonedTimestampMapping(modifier, options.time)
    case oids.interval:
      return intervalMapping(modifier, options.interval, options.time)
    default:
      return undefined
  }
}

function geometric(oid: number): Mapping | undefined {
  switch (oid) {
    case oids.point:
      return geometry.point
    case oids.box:
      return geometry.box
    case oids.lseg:
      return geometry.lseg
    case oids.path:
      return geometry.path
    case oids.polygon:
      return geometry.polygon
    case oids.circle:
      return geometry.circle
    case oids.line:
      return geometry.line
    default:
      return undefined
  }
}

/** Types of extensions have other oids in each database; their names decide, in whatever schema, as in Debezium. */
function extension(name: string, options: TypeOptions): Mapping | undefined {
  switch (name) {
    case 'citext':
    case 'isbn':
      return text
    case 'ltree':
      return mappings.ltree
    case 'hstore':
      return extensions.hstoreMapping(options.hstore)
    case 'geometry':
      return geometry.geometry
    case 'geography':
      return geometry.geography
    case 'vector':
      return extensions.vector
    case 'halfvec':
      return extensions.halfvec
    case 'sparsevec':
      return extensions.sparsevec
    default:
      return undefined
  }
}
