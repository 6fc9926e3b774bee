import { changed, DataError, defineConfig, defineTransform, type ConnectRecord } from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { replaceNullWithDefault, structOf } from './derived-schema.ts'
import { kafkaNames, valuePart } from './record-part.ts'
import { checkNames } from './settings-checks.ts'
import {
  compileFieldCopies,
  perSchema,
  requireFields,
  requireMap,
  requireStruct,
  type NewStruct,
} from './struct-values.ts'

const purpose = 'ValueToKey'

const config = defineConfig({
  fields: { type: 'list', required: true, importance: 'high', doc: "The value's fields that make up the new key." },
  ...replaceNullWithDefault,
})

export const valueToKey = defineTransform({
  name: 'value-to-key',
  aliases: kafkaNames('ValueToKey'),
  doc: 'Makes a new key of fields of the value.',
  config,
  check: ({ fields }) => checkNames({ fields }),
  create({ fields: names, 'replace.null.with.default': useDefault }) {
    const bySchema = perSchema((schema) => {
      const fields = requireFields(schema, purpose)
      const chosen = names.map((name) => {
        const field = fields.find((each) => each.name === name)
        if (field === undefined) throw new DataError(`${purpose}: there is no field ${name}`)
        return field
      })
      const copies = chosen.map((field) => ({ field, to: field.name }))
      return { keySchema: structOf(chosen, purpose), copy: compileFieldCopies(copies, useDefault, purpose) }
    })
    return {
      apply<R extends ConnectRecord>(record: R): R {
        const value = valuePart.valueOf(record)
        if (record.valueSchema === undefined) {
          return changed(record, { keySchema: undefined, key: keyOfMap(value, names) })
        }
        const struct = requireStruct(value, record.valueSchema, purpose)
        const { keySchema, copy } = bySchema(record.valueSchema)
        return changed(record, { keySchema, key: copy(struct) })
      },
    }
  },
})

function keyOfMap(value: unknown, names: readonly string[]): NewStruct {
  const map = requireMap(value, purpose)
  const key: NewStruct = {}
  for (const name of names) setProperty(key, name, Object.hasOwn(map, name) ? (map[name] ?? null) : null)
  return key
}
