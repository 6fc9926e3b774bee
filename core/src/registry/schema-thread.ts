/** The thread of {@link SchemaWork}: works on one task after the other. */
import { parentPort } from 'node:worker_threads'
import { loadFormat } from '../schemas/load-format.ts'
import { InvalidSchemaError, type ParsedSchema } from '../schemas/schema-format.ts'
import type { SchemaOutcome, SchemaSource, SchemaTask } from './schema-work.ts'

/** Of texts that are kept parsed: what is asked of a schema comes in several tasks. */
const MAX_CHARACTERS = 12 * 1024 * 1024

/** The least recently used first. */
const parsed = new Map<string, { readonly schema: ParsedSchema; readonly characters: number }>()
let characters = 0

async function parse({ key, type, schema, references }: SchemaSource): Promise<ParsedSchema> {
  const known = parsed.get(key)
  if (known !== undefined) {
    parsed.delete(key)
    parsed.set(key, known)
    return known.schema
  }
  const format = await loadFormat(type)
  const fresh = { schema: format.parse(schema, references), characters: schema.length }
  parsed.set(key, fresh)
  characters += fresh.characters
  for (const [oldest, { characters: freed }] of parsed) {
    if (characters <= MAX_CHARACTERS || oldest === key) break
    parsed.delete(oldest)
    characters -= freed
  }
  return fresh.schema
}

async function valueOf(task: SchemaTask): Promise<unknown> {
  switch (task.kind) {
    case 'canonical':
      return (await parse(task.source)).canonical
    case 'normalized':
      return (await parse(task.source)).normalized()
    case 'checkNew':
      return (await parse(task.source)).checkNew?.()
    case 'formatted':
      return (await parse(task.source)).formatted?.(task.format)
    case 'compare': {
      const [reader, writer] = [await parse(task.reader), await parse(task.writer)]
      return reader.compatibility(writer, task.policy)
    }
  }
}

async function outcomeOf(task: SchemaTask): Promise<SchemaOutcome> {
  try {
    return { value: await valueOf(task) }
  } catch (error) {
    // A text may be of a depth that nobody has thought of.
    if (error instanceof InvalidSchemaError || error instanceof RangeError) return { invalid: error.message }
    throw error
  }
}

let before = Promise.resolve()
parentPort!.on('message', ({ number, task }: { number: number; task: SchemaTask }) => {
  before = before.then(async () => parentPort!.postMessage({ number, outcome: await outcomeOf(task) }))
})
