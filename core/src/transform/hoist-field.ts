import { defineConfig, type ConnectRecord, type Schema } from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { defineForKeyAndValue } from './record-part.ts'
import { nullInRequired, perSchema, type NewStruct } from './struct-values.ts'

const config = defineConfig({
  field: { type: 'string', required: true, doc: 'The name of the one field that the new struct or object has.' },
})

export const hoistFieldTransforms = defineForKeyAndValue({
  name: 'hoist-field',
  className: 'HoistField',
  doc: 'Wraps the whole in a struct, or an object where there is no schema, of one field.',
  config,
  create({ field }, part) {
    const bySchema = perSchema((schema): Schema => ({ type: 'struct', fields: [{ name: field, schema }] }))
    return {
      apply<R extends ConnectRecord>(record: R): R {
        const value = part.valueOf(record)
        const schema = part.schemaOf(record)
        const made: NewStruct = {}
        setProperty(made, field, value)
        if (schema === undefined) return part.replaced(record, undefined, made)
        if (value === null && schema.optional !== true) throw nullInRequired(field, 'HoistField')
        return part.replaced(record, bySchema(schema), made)
      },
    }
  },
})
