import { afterEach, expect, test } from 'vitest'
import { silentLogger } from '../logging/logger.ts'
import { loadFormat } from '../schemas/load-format.ts'
import type { SchemaType } from '../schemas/schema-format.ts'
import { checkInTurns } from './compatibility.ts'
import { settled } from './large-schema.ts'
import { RegistryState } from './registry-state.ts'
import type { SchemaContent, SchemaEntity } from './schema-entity.ts'
import { SchemaParser } from './schema-parser.ts'
import { SchemaWork, type SchemaOutcome, type SchemaSource } from './schema-work.ts'

const options = { subject: 's', isNew: true }
const padding = 'p'.repeat(70_000)

const content = (schemaType: SchemaType, schema: string): SchemaContent => ({ schemaType, schema, references: [] })
const record = (doc: string, ...fields: object[]): string => JSON.stringify({ type: 'record', name: 'R', doc, fields })
const large: Record<SchemaType, string> = {
  AVRO: record(padding),
  JSON: JSON.stringify({ type: 'object', description: padding }),
  PROTOBUF: `syntax = "proto3"; message M { string ${padding} = 1; }`,
}

let work: SchemaWork
afterEach(() => work.close())

/** Its formats refuse whatever is large: that is for another thread. */
async function smallParser(cacheSize = 100): Promise<SchemaParser> {
  work = new SchemaWork()
  const parser = new SchemaParser({
    state: new RegistryState(silentLogger),
    loadFormat: async (type) => {
      const format = await loadFormat(type)
      return {
        type,
        parse: (text, references) => {
          if (text.length > 70_000) throw new Error('a large schema was parsed between two requests')
          return format.parse(text, references)
        },
      }
    },
    cacheSize,
    work,
  })
  for (const type of ['AVRO', 'JSON', 'PROTOBUF'] as const) await parser.load(type)
  return parser
}

test.each(['AVRO', 'JSON', 'PROTOBUF'] as const)('a large %s schema gives what its format gives', async (type) => {
  const parser = await smallParser()
  const real = (await loadFormat(type)).parse(large[type], [])
  expect(await settled(() => parser.parse(content(type, large[type]), options).canonical)).toBe(real.canonical)
  expect(await settled(() => parser.parse(content(type, large[type]), options).normalized())).toBe(real.normalized())
  const formatted = await settled(() => parser.parse(content(type, large[type]), options).formatted?.('resolved'))
  expect(formatted).toBe(real.formatted?.('resolved'))
  const other = content(type, type === 'PROTOBUF' ? '{' : '{"type":')
  const broken = { ...other, schema: other.schema + padding }
  await expect(settled(() => parser.parse(broken, options).canonical)).rejects.toMatchObject({ code: 42201 })
})

test('what is asked of new schemas is asked of large ones', async () => {
  const parser = await smallParser()
  const wrong = content('AVRO', record(padding, { name: 'x', type: 'int', default: 'none' }))
  await expect(settled(() => parser.parse(wrong, options).canonical)).rejects.toMatchObject({ code: 42201 })
  expect(await settled(() => parser.parse(wrong, { ...options, isNew: false }).canonical)).toContain('none')
})

test('large and small ones are compared with each other, and more of them than are held', async () => {
  const parser = await smallParser(1)
  const [x, y] = [
    { name: 'x', type: 'int' },
    { name: 'y', type: 'int' },
  ]
  const versions = Array.from({ length: 12 }, (_, i) => {
    const schema = record(i % 2 === 0 ? padding + String(i) : String(i), x)
    return { ...content('AVRO', schema), subject: 's', version: i + 1, id: i + 1, guid: '', deleted: false }
  })
  const parse = (version: SchemaEntity) => parser.parse(version, { ...options, isNew: false })
  const config = { compatibilityLevel: 'FULL_TRANSITIVE' } as const
  const tried = (schema: string) =>
    settled(() => {
      const parsed = parser.parse(content('AVRO', schema), options)
      return checkInTurns(config, { parsed, metadata: undefined }, versions, parse)
    })
  for (const doc of ['small', padding]) {
    expect(await tried(record(doc, x))).toEqual([])
    const messages = await tried(record(doc, x, y))
    expect(messages.join()).toContain('READER_FIELD_MISSING_DEFAULT_VALUE')
  }
})

const source = (schema: string): SchemaSource => ({ key: schema, type: 'AVRO', schema, references: [] })

test('one that takes more memory than there is takes none of the others along', async () => {
  work = new SchemaWork(24)
  const fields = Array.from({ length: 150_000 }, (_, i) => ({ name: `f${i}`, type: ['null', 'int', 'string'] }))
  const huge = JSON.stringify({ type: 'record', name: 'Huge', fields })
  const asked = [huge, '"int"', '"string"'].map((schema) => work.run({ kind: 'canonical', source: source(schema) }))
  const outcome = (value: string): SchemaOutcome => ({ value })
  expect(await Promise.allSettled(asked)).toMatchObject([
    { status: 'rejected', reason: { code: 42201 } },
    { status: 'fulfilled', value: outcome('"int"') },
    { status: 'fulfilled', value: outcome('"string"') },
  ])
})

test('what is under way when the registry stops is answered', async () => {
  work = new SchemaWork()
  const asked = work.run({ kind: 'canonical', source: source('"int"') })
  const closed = work.close()
  await expect(asked).rejects.toMatchObject({ code: 50002 })
  await closed
  await expect(work.run({ kind: 'canonical', source: source('"int"') })).rejects.toMatchObject({ code: 50002 })
})
