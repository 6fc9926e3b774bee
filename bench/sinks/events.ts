/** The records of bench/sinks: events of about 200 bytes of JSON, and the same in Avro. */
import { schema } from '@tidewire/sdk'
import { AvroInput, avroReading, AvroOutput, avroSchemaOf, avroText, compileAvroWriter } from '@tidewire/sdk/avro'

export interface Event {
  readonly id: number
  readonly device: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly temperature: number
  readonly humidity: number
  readonly status: string
  readonly note: string
}

const statuses = ['OK', 'WARMING_UP', 'LOW_BATTERY', 'OFFLINE']
const begin = Date.UTC(2026, 0, 1)
const hourMs = 3_600_000

export function eventOf(id: number): Event {
  return {
    id,
    device: `device-${(id * 7919) % 5000}`,
    at: begin + id * 10,
    temperature: 20 + ((id * 31) % 1000) / 100,
    humidity: ((id * 17) % 1000) / 10,
    status: statuses[id % statuses.length]!,
    note: `event ${id} of a device that has something to say, in some forty words or so`,
  }
}

/** A time such that the records of a partition that follow each other lie in different hours of one day. */
export const scatteredOverADay = (id: number, partitions: number): number =>
  begin + (Math.floor(id / partitions) % 24) * hourMs + (id % hourMs)

const eventSchema = schema.struct(
  {
    id: schema.int64(),
    device: schema.string(),
    at: schema.int64(),
    temperature: schema.float64(),
    humidity: schema.float64(),
    status: schema.string(),
    note: schema.string(),
  },
  { name: 'bench.Event' },
)

const options = {
  connectMetaData: true,
  enhancedSchemas: false,
  generalizedSumTypes: false,
  scrubInvalidNames: false,
  discardTypeDocDefault: false,
  optionalMapKeys: false,
  flattenSingletonUnions: false,
  ignoreDefaultForNullables: false,
}
const avro = avroSchemaOf(eventSchema, options)
/** What a registry is given. */
export const avroSchemaText = avroText(avro)
/** A zero, and the schema's id in the registry. */
const headerBytes = 5

/** Writes messages as Confluent's serializer does. */
export function avroMessages(schemaId: number): (event: Event) => Buffer {
  const write = compileAvroWriter(eventSchema, avro, options)
  const output = new AvroOutput()
  const header = Buffer.alloc(headerBytes)
  header.writeUInt32BE(schemaId, 1)
  return (event) => {
    output.at = 0
    output.raw(header)
    write(output, event)
    return output.take()
  }
}

/** Reads them again. */
export function avroReader(): (message: Buffer) => Event {
  const { read } = avroReading(avro, options)
  const input = new AvroInput()
  return (message) => {
    input.start(message, headerBytes)
    return read(input) as Event
  }
}
