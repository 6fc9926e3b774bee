import { DataError, defineConfig, type ConnectRecord, type Schema } from '@tidewire/sdk'
import { replaceNullWithDefault } from './derived-schema.ts'
import { defineForKeyAndValue } from './record-part.ts'
import { compileStructCopy, perSchema, requireStruct } from './struct-values.ts'

const purpose = 'SetSchemaMetadata'

const config = defineConfig({
  'schema.name': { type: 'string', importance: 'high', doc: 'The name that the schema gets.' },
  'schema.version': { type: 'int', importance: 'high', doc: 'The version that the schema gets.' },
  ...replaceNullWithDefault,
})

export const setSchemaMetadataTransforms = defineForKeyAndValue({
  name: 'set-schema-metadata',
  className: 'SetSchemaMetadata',
  doc: 'Gives the schema a name, a version or both.',
  config,
  check: (settings): Record<string, string> =>
    settings['schema.name'] === undefined && settings['schema.version'] === undefined
      ? { 'schema.name': 'neither schema.name nor schema.version is set' }
      : {},
  create(settings, part) {
    const { 'schema.name': name, 'schema.version': version, 'replace.null.with.default': useDefault } = settings
    const bySchema = perSchema((schema) => ({
      to: {
        ...schema,
        ...(name === undefined ? {} : { name }),
        ...(version === undefined ? {} : { version }),
      } satisfies Schema,
      copy: schema.type === 'struct' ? compileStructCopy(schema.fields ?? [], useDefault, purpose) : undefined,
    }))
    return {
      apply<R extends ConnectRecord>(record: R): R {
        const value = part.valueOf(record)
        const schema = part.schemaOf(record)
        if (schema === undefined) {
          if (value === null) return record
          throw new DataError(`${purpose} needs a record with a schema`)
        }
        const { to, copy } = bySchema(schema)
        if (value === null || copy === undefined) return part.replaced(record, to, value)
        return part.replaced(record, to, copy(requireStruct(value, schema, purpose)))
      },
    }
  },
})
