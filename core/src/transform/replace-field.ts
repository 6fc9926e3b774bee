import { DataError, defineConfig, type ConnectRecord, type Schema, type Transform } from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { replaceNullWithDefault, structOf } from './derived-schema.ts'
import { defineForKeyAndValue, type RecordPart } from './record-part.ts'
import { checkNames } from './settings-checks.ts'
import {
  compileFieldCopies,
  perSchema,
  requireFields,
  requireMap,
  requireStruct,
  type NewStruct,
} from './struct-values.ts'

const purpose = 'ReplaceField'

const config = defineConfig({
  exclude: { type: 'list', default: [], doc: 'Fields to leave out; goes before `include`.' },
  include: { type: 'list', default: [], doc: 'The only fields to keep. Left out or empty: all.' },
  renames: { type: 'list', default: [], doc: 'New names of fields, `old:new,other:another`.' },
  ...replaceNullWithDefault,
})

export const replaceFieldTransforms = defineForKeyAndValue({
  name: 'replace-field',
  className: 'ReplaceField',
  doc: 'Leaves out or renames fields.',
  config,
  check({ exclude, include, renames }): Record<string, string> {
    const wrong = renames.find((pair) => pairOf(pair) === undefined)
    return {
      ...checkNames({ exclude, include }),
      ...(wrong === undefined ? {} : { renames: `'${wrong}' is not of the form old:new` }),
    }
  },
  create({ exclude, include, renames, ...settings }, part) {
    const names = new Map(renames.flatMap((pair) => [pairOf(pair) ?? []] as [string, string][]))
    const [excluded, included] = [new Set(exclude), new Set(include)]
    const isKept = (name: string): boolean => !excluded.has(name) && (included.size === 0 || included.has(name))
    return new ReplaceField(part, isKept, names, settings['replace.null.with.default'])
  },
})

function pairOf(text: string): readonly [string, string] | undefined {
  const [from, to, ...more] = text.split(':')
  if (from === undefined || to === undefined || to === '' || more.some((part) => part !== '')) return undefined
  return [from, to]
}

class ReplaceField implements Transform {
  readonly #part: RecordPart
  readonly #isKept: (name: string) => boolean
  readonly #renames: ReadonlyMap<string, string>
  readonly #bySchema

  constructor(
    part: RecordPart,
    isKept: (name: string) => boolean,
    renames: ReadonlyMap<string, string>,
    useDefault: boolean,
  ) {
    this.#part = part
    this.#isKept = isKept
    this.#renames = renames
    this.#bySchema = perSchema((schema) => compileReplacement(schema, isKept, renames, useDefault))
  }

  apply<R extends ConnectRecord>(record: R): R {
    const value = this.#part.valueOf(record)
    if (value === null) return record
    const schema = this.#part.schemaOf(record)
    if (schema === undefined) return this.#part.replaced(record, undefined, this.#ofMap(value))
    const { to, copy } = this.#bySchema(schema)
    return this.#part.replaced(record, to, copy(requireStruct(value, schema, purpose)))
  }

  #ofMap(value: unknown): NewStruct {
    const made: NewStruct = {}
    const map = requireMap(value, purpose)
    for (const name of Object.keys(map)) {
      if (this.#isKept(name)) setProperty(made, this.#renames.get(name) ?? name, map[name])
    }
    return made
  }
}

function compileReplacement(
  schema: Schema,
  isKept: (name: string) => boolean,
  renames: ReadonlyMap<string, string>,
  useDefault: boolean,
) {
  const fields = requireFields(schema, purpose)
  const kept = fields.filter(({ name }) => isKept(name))
  const named = kept.map((field) => ({ name: renames.get(field.name) ?? field.name, schema: field.schema }))
  const oldNames = new Map([...renames].map(([from, to]) => [to, from]))
  const copies = named.map(({ name }) => {
    // Goes by the new name, as Kafka Connect does: for a:b a field that is called b from the start stands for a.
    const from = oldNames.get(name) ?? name
    const field = fields.find((each) => each.name === from)
    if (field === undefined) throw new DataError(`${purpose}: there is no field ${from} to become ${name}`)
    return { field, to: name }
  })
  return { to: structOf(named, purpose, schema), copy: compileFieldCopies(copies, useDefault, purpose) }
}
