import { ExactFraction } from '../json/exact-json.ts'
import type { AvroRecord, AvroSchema, AvroUnion } from './schema.ts'
import type { AvroOutput } from './avro-output.ts'

/** Writes the JSON of a default, which has been found valid, in binary. */
export function writeDefault(output: AvroOutput, avro: AvroSchema, json: unknown): void {
  const value = json instanceof ExactFraction ? Number(json.text) : json
  switch (avro.type) {
    case 'null':
      break
    case 'boolean':
      output.byte(value === true ? 1 : 0)
      break
    case 'int':
      output.int(value as number)
      break
    case 'long':
      if (typeof value === 'bigint') output.bigLong(value)
      else output.long(value as number)
      break
    case 'float':
      output.float(Number(value))
      break
    case 'double':
      output.double(Number(value))
      break
    case 'string':
      output.string(value as string)
      break
    case 'bytes':
      output.sized(Buffer.from(value as string, 'latin1'))
      break
    case 'fixed':
      output.raw(Buffer.from(value as string, 'latin1'))
      break
    case 'enum':
      output.int(avro.symbols.indexOf(value as string))
      break
    case 'union':
      writeUnion(output, avro, value)
      break
    case 'array':
      writeItems(output, value as readonly unknown[], (item) => writeDefault(output, avro.items, item))
      break
    case 'map':
      writeItems(output, Object.entries(value as object), ([key, item]) => {
        output.string(key)
        writeDefault(output, avro.values, item)
      })
      break
    case 'record':
      writeRecord(output, avro, value as Readonly<Record<string, unknown>>)
  }
}

function writeUnion(output: AvroOutput, { branches }: AvroUnion, value: unknown): void {
  const index = Math.max(
    0,
    branches.findIndex(({ type }) => (type === 'null') === (value === null)),
  )
  output.int(index)
  writeDefault(output, branches[index]!, value)
}

function writeRecord(output: AvroOutput, { fields }: AvroRecord, value: Readonly<Record<string, unknown>>): void {
  for (const { name, schema, default: fallback } of fields) {
    writeDefault(output, schema, Object.hasOwn(value, name) ? value[name] : fallback)
  }
}

function writeItems<T>(output: AvroOutput, items: readonly T[], write: (item: T) => void): void {
  if (items.length > 0) output.int(items.length)
  for (const item of items) write(item)
  output.byte(0)
}
