import type { Schema } from '@tidewire/sdk'

const equals = new WeakMap<Schema, WeakMap<Schema, boolean>>()

/**
 * Whether two schemas say the same, as Kafka Connect's Schema.equals has it: names, versions, docs and defaults included.
 * Remembered by identity, since converters give the same schema to many records.
 */
export function sameSchema(a: Schema | undefined, b: Schema | undefined): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined) return false
  let known = equals.get(a)
  if (known === undefined) equals.set(a, (known = new WeakMap()))
  let same = known.get(b)
  if (same === undefined) known.set(b, (same = compare(a, b)))
  return same
}

function compare(a: Schema, b: Schema): boolean {
  return (
    a.type === b.type &&
    (a.optional ?? false) === (b.optional ?? false) &&
    a.name === b.name &&
    a.version === b.version &&
    a.doc === b.doc &&
    sameTexts(a.parameters, b.parameters) &&
    sameValue(a.default, b.default) &&
    sameSchema(a.keys, b.keys) &&
    sameSchema(a.values, b.values) &&
    sameFields(a, b)
  )
}

function sameFields({ fields: a = [] }: Schema, { fields: b = [] }: Schema): boolean {
  return (
    a.length === b.length && a.every(({ name, schema }, i) => name === b[i]!.name && sameSchema(schema, b[i]!.schema))
  )
}

/** Whether maps of texts have the same entries, in whatever order. */
export function sameTexts(a: Schema['parameters'] = {}, b: Schema['parameters'] = {}): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name])
}

function sameValue(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || textOf(a) === textOf(b)
}

/** Defaults are small, and compared once for a pair of schemas. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'bigint') return `${inner}n`
    return inner instanceof Map ? [...(inner as Map<unknown, unknown>)] : inner
  })
}
