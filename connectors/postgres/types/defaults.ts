import { isErrorKind } from '@tidewire/sdk'
import type { Mapping } from './mapping.ts'
import { oids } from './oids.ts'
import type { PgType } from './type-catalog.ts'

/**
 * A column's DEFAULT as the default of its schema. As in Debezium (PostgresDefaultValueConverter): a literal is the
 * value; a function's result is not known, so the type's zero stands for it; of any other expression nothing is made.
 * Types that Debezium leaves without a default have none here either, and no default is ever a struct.
 */
export function defaultOf(type: PgType, mapping: Mapping, sql: string): unknown {
  if (mapping.schema.type === 'struct') return undefined
  const text = type.kind === 'enum' ? labelOf(sql) : literalOf(type, sql)
  if (text === undefined || !isOfType(type, text)) return undefined
  const bytes = Buffer.from(text)
  try {
    return mapping.read(bytes, 0, bytes.length)
  } catch (error) {
    // More digits than the column has, NaN: a default that no row can get.
    if (isErrorKind(error, 'DataError')) return undefined
    throw error
  }
}

/** What stands for what a function will give; only these types have defaults. */
const zeros = new Map<number, string>([
  [oids.bit, ''],
  [oids.varbit, '0'],
  [oids.bool, 'false'],
  [oids.bpchar, ''],
  [oids.varchar, ''],
  [oids.text, ''],
  [oids.numeric, '0.0'],
  [oids.float4, '0.0'],
  [oids.float8, '0.0'],
  [oids.int2, '0'],
  [oids.int4, '0'],
  [oids.int8, '0'],
  [oids.json, '{}'],
  [oids.jsonb, '{}'],
  [oids.xml, ''],
  [oids.uuid, '00000000-0000-0000-0000-000000000000'],
  [oids.date, '1970-01-01'],
  [oids.time, '00:00:00'],
  [oids.timestamp, '1970-01-01 00:00:00'],
  [oids.timestamptz, '1970-01-01 00:00:00+00'],
  [oids.interval, '00:00:00'],
])

const functionCall = /^\(?[\w.]+\(.*\)/s
const currentTime = /^(current_timestamp|current_time|current_date|localtime|localtimestamp)$/i
const literal = /'((?:[^']|'')*)'/

function literalOf(type: PgType, sql: string): string | undefined {
  const zero = zeros.get(type.oid)
  const expression = sql.trim()
  if (zero === undefined || expression.startsWith('NULL::')) return undefined
  if (functionCall.test(expression) || currentTime.test(expression)) return zero
  return literal.exec(expression)?.[1]?.replaceAll("''", "'") ?? expression
}

/** `'ok'::mood`. */
function labelOf(sql: string): string | undefined {
  return /^'((?:[^']|'')*)'::/.exec(sql)?.[1]?.replaceAll("''", "'")
}

const forms = new Map<number, RegExp>([
  [oids.bit, /^[01]*$/],
  [oids.varbit, /^[01]*$/],
  [oids.numeric, /^-?\d+(\.\d+)?$/],
  [oids.float4, /^-?(\d+(\.\d+)?(e[+-]?\d+)?|Infinity)$|^NaN$/],
  [oids.float8, /^-?(\d+(\.\d+)?(e[+-]?\d+)?|Infinity)$|^NaN$/],
  [oids.int2, /^-?\d+$/],
  [oids.int4, /^-?\d+$/],
  [oids.int8, /^-?\d+$/],
  [oids.uuid, /^[\da-f-]{36}$/],
  [oids.date, /^\d{4,}-\d\d-\d\d( BC)?$|^-?infinity$/],
  [oids.time, /^\d\d:\d\d:\d\d(\.\d+)?$/],
  [oids.timestamp, /^\d{4,}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( BC)?$|^-?infinity$/],
  [oids.timestamptz, /^\d{4,}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?[+-][\d:]+( BC)?$|^-?infinity$/],
])

/** An expression that is neither a literal nor a function's call stands there as it is: `(1 + 1)`. */
function isOfType(type: PgType, text: string): boolean {
  return forms.get(type.oid)?.test(text) ?? true
}
