/** Parquet files, written by hyparquet-writer row group by row group: Confluent's ParquetFormat. */
import { DataError, type Schema, type SinkRecord } from '@tidewire/sdk'
import { avroSchemaOf, avroText, type AvroOptions } from '@tidewire/sdk/avro'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import type { ObjectFormat, ObjectWriter } from '../object-format.ts'
import type { PartReader } from '../record-part.ts'
import { codecExtensions, codecNames, pageCompressors, type ParquetCodec } from './parquet-codec.ts'
import { parquetFields, type ParquetField, type Sizes } from './parquet-schema.ts'

export interface ParquetSettings {
  readonly codec: ParquetCodec
  /** Of the values of a row group, as they lie in memory. */
  readonly rowGroupBytes: number
  readonly avro: AvroOptions
}

export function parquetFormat(part: PartReader, settings: ParquetSettings): ObjectFormat {
  const compiled = new WeakMap<Schema, CompiledSchema>()
  return {
    extension: `${part.extension}${codecExtensions[settings.codec]}.parquet`,
    contentType: 'application/vnd.apache.parquet',
    hasSchema: true,
    open: (first) => {
      const schema = part.schema(first)
      const known = schema === undefined ? undefined : compiled.get(schema)
      const fields = known ?? { fields: parquetFields(schema), metadata: avroMetadata(schema, settings.avro) }
      if (schema !== undefined) compiled.set(schema, fields)
      return new ParquetObjectWriter(part, fields, settings)
    },
  }
}

interface CompiledSchema {
  readonly fields: readonly ParquetField[]
  readonly metadata: readonly { readonly key: string; readonly value: string }[]
}

/** Where Parquet's Java library keeps the Avro schema of a file: readers find there what Parquet has no place for. */
export const avroSchemaKey = 'parquet.avro.schema'

function avroMetadata(schema: Schema | undefined, options: AvroOptions): CompiledSchema['metadata'] {
  try {
    return [
      { key: avroSchemaKey, value: avroText(avroSchemaOf(schema, options)) },
      { key: 'writer.model.name', value: 'avro' },
    ]
  } catch {
    // Names that Avro does not take are names in Parquet all the same.
    return []
  }
}

class ParquetObjectWriter implements ObjectWriter {
  readonly #part: PartReader
  readonly #fields: readonly ParquetField[]
  readonly #rowGroupBytes: number
  readonly #bytes = new PieceWriter()
  readonly #file: ParquetWriter
  #columns: unknown[][]
  #rows = 0
  #rowsBytes = 0

  constructor(part: PartReader, { fields, metadata }: CompiledSchema, { codec, rowGroupBytes }: ParquetSettings) {
    this.#part = part
    this.#fields = fields
    this.#rowGroupBytes = rowGroupBytes
    this.#columns = fields.map(() => [])
    this.#file = new ParquetWriter({
      writer: this.#bytes,
      schema: [{ name: 'value', num_children: fields.length }, ...fields.flatMap(({ elements }) => elements)],
      codec: codecNames[codec],
      compressors: pageCompressors,
      kvMetadata: [...metadata],
      createdBy: 'Tidewire',
    })
  }

  append(record: SinkRecord): void {
    const value = this.#part.value(record)
    const sizes: Sizes = { bytes: 0 }
    const row = rowOf(this.#fields, value, sizes)
    for (let index = 0; index < row.length; index++) this.#columns[index]!.push(row[index])
    this.#rows++
    this.#rowsBytes += sizes.bytes + 8 * row.length
    if (this.#rowsBytes >= this.#rowGroupBytes) this.#endRowGroup()
  }

  get heldBytes(): number {
    return this.#rowsBytes + this.#bytes.buffer.byteLength
  }

  take(): Promise<readonly Uint8Array[]> {
    return Promise.resolve(this.#bytes.take())
  }

  end(): Promise<readonly Uint8Array[]> {
    this.#endRowGroup()
    // At once, as below.
    void this.#file.finish()
    return this.take()
  }

  squeeze(): void {
    this.#endRowGroup()
  }

  #endRowGroup(): void {
    if (this.#rows === 0) return
    const columnData = this.#fields.map(({ name, elements }, index) => ({
      name,
      data: this.#columns[index]!,
      // A dictionary would take -0 for 0, and rarely does anything for floats.
      ...(isFloat(elements) ? { encoding: 'PLAIN' as const } : {}),
    }))
    // It waits for the writer alone, and this one keeps nobody waiting.
    void this.#file.write({ columnData, rowGroupSize: this.#rows })
    this.#columns = this.#fields.map(() => [])
    this.#rows = 0
    this.#rowsBytes = 0
  }
}

/** The row's columns, all of them made before any is kept. @throws DataError */
function rowOf(fields: readonly ParquetField[], value: unknown, sizes: Sizes): readonly unknown[] {
  if (typeof value !== 'object' || value === null) {
    throw new DataError(`value has to be a struct, not ${value === null ? 'null' : typeof value}`)
  }
  const struct = value as Readonly<Record<string, unknown>>
  return fields.map(({ name, read, convert }) => convert(read === undefined ? struct[name] : read(struct), sizes))
}

/** The library's growing bytes, of which what is written can be taken away: offsets go on counting. */
class PieceWriter extends ByteWriter {
  take(): readonly Uint8Array[] {
    if (this.index === 0) return []
    const piece = new Uint8Array(this.buffer, 0, this.index)
    this.buffer = new ArrayBuffer(1024)
    this.view = new DataView(this.buffer)
    this.index = 0
    return [piece]
  }
}

function isFloat([element]: ParquetField['elements']): boolean {
  return element?.type === 'FLOAT' || element?.type === 'DOUBLE'
}
