import {
  ConfigError,
  DataError,
  defineConfig,
  type ConnectRecord,
  type Field,
  type Schema,
  type Transform,
} from '@tidewire/sdk'
import { replaceNullWithDefault } from './derived-schema.ts'
import { parseFieldPath } from './field-path.ts'
import { defineForKeyAndValue, type RecordPart } from './record-part.ts'
import { fieldReader, perSchema, requireFields, requireMap, requireStruct } from './struct-values.ts'

const purpose = 'ExtractField'

const config = defineConfig({
  field: {
    type: 'string',
    required: true,
    doc: 'The field to extract; with `field.syntax.version` V2 the path to it.',
  },
  'field.syntax.version': {
    type: 'string',
    enum: ['V1', 'V2'],
    default: 'V1',
    importance: 'high',
    doc: 'V1: `field` is a name as it stands. V2: `field` is a path with dots; names with dots stand in backticks.',
  },
  ...replaceNullWithDefault,
})

export const extractFieldTransforms = defineForKeyAndValue({
  name: 'extract-field',
  className: 'ExtractField',
  doc: 'Puts one field of a struct or object in its place. Null stays null.',
  config,
  check(settings): Record<string, string> {
    try {
      pathOf(settings)
      return {}
    } catch (error) {
      return { field: (error as Error).message }
    }
  },
  create: (settings, part) =>
    new ExtractField(part, settings.field, pathOf(settings), settings['replace.null.with.default']),
})

/** @throws ConfigError */
function pathOf(settings: { readonly field: string; readonly 'field.syntax.version': 'V1' | 'V2' }): readonly string[] {
  if (settings['field.syntax.version'] === 'V1') return [settings.field]
  try {
    return parseFieldPath(settings.field)
  } catch (error) {
    throw new ConfigError((error as Error).message, { setting: 'field', cause: error })
  }
}

class ExtractField implements Transform {
  readonly #part: RecordPart
  readonly #path: readonly string[]
  readonly #bySchema

  constructor(part: RecordPart, field: string, path: readonly string[], useDefault: boolean) {
    this.#part = part
    this.#path = path
    this.#bySchema = perSchema((schema) => compilePath(schema, field, path, useDefault))
  }

  apply<R extends ConnectRecord>(record: R): R {
    const value = this.#part.valueOf(record)
    const schema = this.#part.schemaOf(record)
    if (schema === undefined) return this.#part.replaced(record, undefined, this.#ofMap(value))
    if (value !== null) requireStruct(value, schema, purpose)
    const { leaf, steps } = this.#bySchema(schema)
    let found = value
    for (const { within, read } of steps) {
      if (found === null) break
      found = read(requireStruct(found, within, purpose))
    }
    return this.#part.replaced(record, leaf, found)
  }

  #ofMap(value: unknown): unknown {
    let found = value
    for (const step of this.#path) {
      if (found === null || found === undefined) return null
      const map = requireMap(found, purpose)
      found = Object.hasOwn(map, step) ? map[step] : null
    }
    return found ?? null
  }
}

interface PathStep {
  readonly within: Schema
  readonly read: (struct: Readonly<Record<string, unknown>>) => unknown
}

function compilePath(schema: Schema, name: string, path: readonly string[], useDefault: boolean) {
  const steps: PathStep[] = []
  let within = schema
  for (const [i, step] of path.entries()) {
    const field: Field | undefined = requireFields(within, purpose).find((each) => each.name === step)
    if (field === undefined) throw new DataError(`${purpose}: there is no field ${name}`)
    // On its way to the last field Kafka Connect reads defaults whatever the setting.
    steps.push({ within, read: fieldReader(field, useDefault || i < path.length - 1) })
    within = field.schema
  }
  return { leaf: within, steps }
}
