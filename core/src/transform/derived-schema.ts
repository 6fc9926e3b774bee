import { DataError, type Field, type Schema } from '@tidewire/sdk'

type Names = Pick<Schema, 'name' | 'version' | 'doc' | 'parameters'>

/** What a schema made from another keeps of it, whatever becomes of its type: name, version, doc and parameters. */
export function namesOf({ name, version, doc, parameters }: Schema): Names {
  return {
    ...(name === undefined ? {} : { name }),
    ...(version === undefined ? {} : { version }),
    ...(doc === undefined ? {} : { doc }),
    ...(parameters === undefined || Object.keys(parameters).length === 0 ? {} : { parameters }),
  }
}

/** Whether null is allowed, and what stands for it. */
export function nullability(optional: boolean | undefined, fallback: unknown): Pick<Schema, 'optional' | 'default'> {
  return { ...(optional === true ? { optional } : {}), ...(fallback == null ? {} : { default: fallback }) }
}

/**
 * A struct schema with other fields and the names of `source`.
 * @throws DataError where two fields have the same name
 */
export function structOf(fields: readonly Field[], purpose: string, source?: Schema): Schema {
  const seen = new Set<string>()
  for (const { name } of fields) {
    if (seen.has(name)) throw new DataError(`${purpose} would give two fields the name ${name}`)
    seen.add(name)
  }
  return { type: 'struct', ...(source === undefined ? {} : namesOf(source)), fields }
}

/** The setting that most of Kafka Connect's transforms share. */
export const replaceNullWithDefault = {
  'replace.null.with.default': {
    type: 'boolean',
    default: true,
    doc: 'Whether a null in a field that has a default value becomes that value.',
  },
} as const
