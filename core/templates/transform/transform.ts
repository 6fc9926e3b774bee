import { changed, DataError, defineTransform, schema, type Schema } from '@tidewire/sdk'
import { config } from './config.ts'

export const exampleTransform = defineTransform({
  name: 'example-transform',
  doc: 'Multiplies a field by a factor.',
  config,
  create({ field, factor }) {
    // Made once a schema: those of one source are few, and shared by its records.
    const changedSchemas = new WeakMap<Schema, Schema>()
    const changedSchema = (of: Schema): Schema => {
      const known = changedSchemas.get(of)
      if (known !== undefined) return known
      const fields = of.fields?.map((each) => {
        if (each.name !== field) return each
        const optional = each.schema.optional ?? false
        return { name: field, schema: schema.float64({ optional }) }
      })
      const made: Schema = fields === undefined ? of : { ...of, fields }
      changedSchemas.set(of, made)
      return made
    }
    return {
      apply(record) {
        const { value, valueSchema } = record
        // A tombstone says that the key is gone: it goes on as it is.
        if (value === null || value === undefined) return record
        if (typeof value !== 'object' || !Object.hasOwn(value, field)) return record
        const number = (value as Readonly<Record<string, unknown>>)[field]
        // What cannot be dealt with follows errors.tolerance: it fails the task, or goes to the dead letter topic.
        const isNumber = typeof number === 'number' || typeof number === 'bigint'
        if (!isNumber && number !== null) throw new DataError(`field ${field} is no number: ${typeof number}`)
        // A copy: others hold the record that was given.
        return changed(record, {
          value: { ...value, [field]: number === null ? null : Number(number) * factor },
          valueSchema: valueSchema && changedSchema(valueSchema),
        })
      },
    }
  },
})
