import { DataError, type Header, schema, type SourceRecord } from '@tidewire/sdk'
import type { Target } from './mapping.ts'
import type { PublishPacket } from './packet.ts'

export type PayloadFormat = 'bytes' | 'string' | 'json'

// Shared, since converters cache by identity.
const stringSchema = schema.string()
const bytesSchema = schema.bytes()
const int32Schema = schema.int32()
const int64Schema = schema.int64()
const booleanSchema = schema.boolean()

// Headers with few values are made once: they are most of what a small message would allocate.
const qosHeaders = [0, 1, 2].map((value): Header => ({ key: 'mqtt.qos', value, schema: int32Schema }))
const flagHeaders = (key: string): { yes: Header; no: Header } => ({
  yes: { key, value: true, schema: booleanSchema },
  no: { key, value: false, schema: booleanSchema },
})
const retainHeaders = flagHeaders('mqtt.retain')
const dupHeaders = flagHeaders('mqtt.dup')

/** The header that names the publisher; made once a connection. */
export function clientHeader(clientId: string): Header {
  return { key: 'mqtt.client.id', value: clientId, schema: stringSchema }
}

/**
 * Rough bytes that a record holds in memory beside its payload: objects, headers, strings. Counted, so that a flood of
 * tiny messages meets the byte limit too.
 */
export const recordOverheadBytes = 512

/**
 * A message as a record. The payload is a view of the bytes received. A payload that is not of the given format is
 * kept as bytes, with the header `mqtt.payload.error`: a device that sends nonsense must neither stop the others nor
 * lose what it sent. Where there is a dead letter topic, it goes there.
 * @param client the header that names the publisher, where it is known
 */
export function toRecord(
  packet: PublishPacket,
  target: Target,
  format: PayloadFormat,
  timestamp: number,
  client?: Header,
  deadLetters = false,
): SourceRecord {
  const headers: Header[] = [
    target.topicHeader,
    qosHeaders[packet.qos]!,
    packet.retain ? retainHeaders.yes : retainHeaders.no,
    packet.dup ? dupHeaders.yes : dupHeaders.no,
  ]
  if (client !== undefined) headers.push(client)
  if (packet.properties !== undefined) addPropertyHeaders(packet.properties, headers)
  const record: SourceRecord = {
    topic: target.topic,
    key: target.key,
    keySchema: stringSchema,
    value: packet.payload,
    valueSchema: bytesSchema,
    headers,
    timestamp,
  }
  if (format !== 'bytes') readPayload(record, packet.payload, { format, headers, deadLetters })
  return record
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

interface Reading {
  readonly format: 'string' | 'json'
  readonly headers: Header[]
  readonly deadLetters: boolean
}

function readPayload(record: SourceRecord, payload: Buffer, { format, headers, deadLetters }: Reading): void {
  try {
    const text = utf8.decode(payload)
    if (format === 'string') {
      record.value = text
      record.valueSchema = stringSchema
    } else {
      record.value = parseJson(text)
      record.valueSchema = undefined
    }
  } catch (error) {
    const problem = `not ${format === 'json' ? 'JSON' : 'UTF-8'}: ${(error as Error).message}`
    headers.push({ key: 'mqtt.payload.error', value: problem, schema: stringSchema })
    if (deadLetters) {
      record.error = new DataError(`the payload is ${problem}`, { code: 'MQTT_PAYLOAD_FORMAT', cause: error })
    }
  }
}

/** JSON with every digit of its integers: one outside the safe range becomes a bigint. */
function parseJson(text: string): unknown {
  return /\d{16}/.test(text) ? (JSON.parse(text, exactInteger) as unknown) : (JSON.parse(text) as unknown)
}

function exactInteger(_key: string, value: unknown, { source }: { source?: string } = {}): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined) return value
  // What is longer is no int64, and a bigint of a million digits would be costly to make.
  return /^-?\d{1,19}$/.test(source) ? BigInt(source) : value
}

function addPropertyHeaders(properties: NonNullable<PublishPacket['properties']>, headers: Header[]): void {
  const { contentType, responseTopic, correlationData, messageExpiry, userProperties } = properties
  if (contentType !== undefined) headers.push({ key: 'mqtt.content.type', value: contentType, schema: stringSchema })
  if (responseTopic !== undefined) {
    headers.push({ key: 'mqtt.response.topic', value: responseTopic, schema: stringSchema })
  }
  if (correlationData !== undefined) {
    headers.push({ key: 'mqtt.correlation.data', value: correlationData, schema: bytesSchema })
  }
  if (messageExpiry !== undefined) {
    headers.push({ key: 'mqtt.message.expiry.seconds', value: messageExpiry, schema: int64Schema })
  }
  for (const [name, value] of userProperties ?? []) {
    headers.push({ key: `mqtt.user.${name}`, value, schema: stringSchema })
  }
}
