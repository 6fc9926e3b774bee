import { expect, test } from 'vitest'
import { avroFormat } from '../schemas/avro/avro-format.ts'
import type { ParsedSchema } from '../schemas/schema-format.ts'
import { checkCompatibility, checkInTurns } from './compatibility.ts'
import type { SchemaEntity } from './schema-entity.ts'

const config = { compatibilityLevel: 'FULL_TRANSITIVE' } as const

/** Notes each comparison that is made, and each turn that others get. */
function traced(types: readonly string[]) {
  const trace: string[] = []
  const parse = (schema: string): ParsedSchema => {
    const parsed = avroFormat.parse(schema, [])
    const compatibility = parsed.compatibility.bind(parsed)
    return Object.assign(parsed, {
      compatibility: (writer: ParsedSchema) => {
        trace.push(`${schema} reads ${writer.canonical}`)
        return compatibility(writer)
      },
    })
  }
  const versions = types.map((type, at): SchemaEntity => {
    const rest = { schemaType: 'AVRO', references: [], id: at, guid: `${at}`, deleted: false } as const
    return { ...rest, subject: 's', version: at + 1, schema: `"${type}"` }
  })
  const parsed = new Map(versions.map((version) => [version, parse(version.schema)]))
  return { trace, versions, parse, parseVersion: (version: SchemaEntity) => parsed.get(version)! }
}

test('others get their turn between two versions, and what has been compared is not compared again', async () => {
  const { trace, versions, parse, parseVersion } = traced(['int', 'int', 'int'])
  const next = { parsed: parse('"int"'), metadata: undefined }
  const checked = checkInTurns(config, next, versions, parseVersion)
  expect(trace).toHaveLength(2)
  expect(await checked).toEqual([])
  expect(trace).toHaveLength(6)
  expect(checkCompatibility(config, next, versions, parseVersion)).toEqual([])
  expect(trace).toHaveLength(6)
})

test('both say the same of what is incompatible', async () => {
  const { versions, parse, parseVersion } = traced(['string', 'int', 'int'])
  const next = { parsed: parse('"int"'), metadata: undefined }
  const messages = checkCompatibility(config, next, versions, parseVersion)
  expect(messages).toContain('{oldSchemaVersion: 1}')
  expect(await checkInTurns(config, next, versions, parseVersion)).toEqual(messages)
})
