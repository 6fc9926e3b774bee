import { logicalNames, type Schema } from '@tidewire/sdk'
import { quoteLiteral } from '../link/identifier.ts'
import { encoderOf, type EncodeOptions } from './text/value-text.ts'

/**
 * The type of a column that is made for values of a schema: the type of the column that they came from, where the source has
 * told it (`column.propagate.source.type`) and it is one of PostgreSQL's, else what holds every value of the schema exactly.
 */
export function columnTypeOf(schema: Schema): string {
  const propagated = propagatedType(schema)
  if (propagated !== undefined) return propagated
  switch (schema.name) {
    case logicalNames.decimal:
      return numericType(schema)
    case logicalNames.date:
      return 'date'
    case logicalNames.time:
      return 'time'
    case logicalNames.timestamp:
      return 'timestamp'
    default:
  }
  const name = /^io\.debezium\.(?:time|data(?:\.geometry)?)\.(\w+)$/.exec(schema.name ?? '')?.[1]
  const known = name === undefined ? undefined : debeziumTypes[name]
  if (known !== undefined) return known
  if (name === 'Bits') return bitsType(schema)
  if (schema.type === 'array') return `${columnTypeOf(schema.values!)}[]`
  return plainTypes[schema.type]
}

const plainTypes: Readonly<Record<Exclude<Schema['type'], 'array'>, string>> = {
  int8: 'smallint',
  int16: 'smallint',
  int32: 'integer',
  int64: 'bigint',
  float32: 'real',
  float64: 'double precision',
  boolean: 'boolean',
  string: 'text',
  bytes: 'bytea',
  map: 'jsonb',
  struct: 'jsonb',
}

const debeziumTypes: Readonly<Record<string, string>> = {
  Date: 'date',
  IsoDate: 'date',
  StructuredDate: 'date',
  Time: 'time',
  MicroTime: 'time',
  NanoTime: 'time',
  IsoTime: 'time',
  StructuredTime: 'time',
  ZonedTime: 'timetz',
  StructuredZonedTime: 'timetz',
  Timestamp: 'timestamp',
  MicroTimestamp: 'timestamp',
  NanoTimestamp: 'timestamp',
  IsoTimestamp: 'timestamp',
  StructuredTimestamp: 'timestamp',
  ZonedTimestamp: 'timestamptz',
  StructuredZonedTimestamp: 'timestamptz',
  Interval: 'interval',
  MicroDuration: 'interval',
  NanoDuration: 'interval',
  StructuredDuration: 'interval',
  VariableScaleDecimal: 'numeric',
  Json: 'json',
  Xml: 'xml',
  Uuid: 'uuid',
  Enum: 'text',
  EnumSet: 'text',
  Ltree: 'ltree',
  TsVector: 'tsvector',
  DoubleVector: 'vector',
  FloatVector: 'halfvec',
  SparseDoubleVector: 'sparsevec',
  Point: 'point',
  Circle: 'circle',
  Line: 'line',
  Geometry: 'geometry',
  Geography: 'geography',
}

/** Types of PostgreSQL that a schema alone does not tell, by what JDBC calls them. */
const propagatable = new Set(
  (
    'inet cidr macaddr macaddr8 citext ltree hstore json jsonb uuid xml tsvector tsquery oid money interval timetz ' +
    'timestamptz int4range int8range numrange tsrange tstzrange daterange int4multirange int8multirange nummultirange ' +
    'tsmultirange tstzmultirange datemultirange point line lseg box path polygon circle pg_lsn'
  ).split(' '),
)

const sized: Readonly<Record<string, string>> = { varchar: 'varchar', bpchar: 'char', bit: 'bit', varbit: 'varbit' }

/** Lengths that stand for none. */
const unlimited = 2_147_483_647

function propagatedType({ parameters, type }: Schema): string | undefined {
  const source = parameters?.['__debezium.source.column.type']?.toLowerCase()
  if (source === undefined) return undefined
  if (source.startsWith('_') && type === 'array') {
    const element = source.slice(1)
    return propagatable.has(element) ? `${element}[]` : undefined
  }
  if (propagatable.has(source)) return source
  const name = Object.hasOwn(sized, source) ? sized[source] : undefined
  if (name === undefined || (type !== 'string' && !name.includes('bit'))) return undefined
  const length = Number(parameters!['__debezium.source.column.length'] ?? unlimited)
  if (length > 0 && length < unlimited) return `${name}(${length})`
  return name === 'char' ? 'text' : name
}

/** With the precision where the schema tells it: numeric(0, 2) would hold nothing. */
function numericType({ parameters }: Schema): string {
  const precision = Number(parameters?.['connect.decimal.precision'])
  const scale = Number(parameters?.['scale'] ?? 0)
  return precision > 0 && precision <= 1000 && scale >= 0 && scale <= precision
    ? `numeric(${precision},${scale})`
    : 'numeric'
}

function bitsType({ parameters }: Schema): string {
  const length = Number(parameters?.['length'] ?? unlimited)
  return length > 0 && length < unlimited ? `bit(${length})` : 'varbit'
}

/** `DEFAULT …` for the default of a schema, in a column of its own type; empty where there is none. */
export function defaultClause(schema: Schema, options: EncodeOptions): string {
  if (schema.default === undefined || schema.default === null) return ''
  const sqlType = columnTypeOf(schema)
  const encode = encoderOf(schema, { name: typeNameOf(sqlType), delimiter: ',' }, options)
  // An array's text takes the type of its elements, which is not at hand here; such defaults are rare, and the source's own.
  return schema.type === 'array' ? '' : ` DEFAULT ${quoteLiteral(encode(schema.default))}`
}

/** pg_type.typname of the types that are made here. */
function typeNameOf(sqlType: string): string {
  const base = sqlType.replace(/\(.*\)/, '')
  return (
    { smallint: 'int2', integer: 'int4', bigint: 'int8', real: 'float4', 'double precision': 'float8' }[base] ?? base
  )
}
