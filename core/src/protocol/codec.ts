/**
 * Encodes and decodes every message of the protocol from its declaration. Pure: bytes in, objects out, and back.
 *
 * Malformed input throws ProtocolError and nothing else, and never makes the decoder allocate more than the frame at
 * hand justifies.
 */
import { apiByKey } from './apis.ts'
import { ProtocolError } from './errors.ts'
import type {
  Api,
  DecodedMessage,
  Field,
  Fields,
  Message,
  MessageInput,
  RecordsInput,
  RequestInput,
  RequestOf,
  ResponseInput,
  ResponseOf,
} from './message.ts'
import { Reader, Writer } from './primitives.ts'

type Value = Record<string, unknown>

/** Tagged fields are nested a level or two; a frame cannot make the decoder recurse deeper than the declaration. */
function decodeFields(fields: Fields, version: number, flexible: boolean, reader: Reader): Value {
  const value: Value = {}
  for (const [name, field] of Object.entries(fields)) {
    const present = field.tag < 0 && version >= field.from && version <= field.to
    value[name] = present ? decodeField(field, version, flexible, reader) : defaultOf(field)
  }
  if (flexible) decodeTagged(fields, version, reader, value)
  return value
}

function decodeTagged(fields: Fields, version: number, reader: Reader, value: Value): void {
  for (let count = reader.unsignedVarint(); count > 0; count--) {
    const tag = reader.unsignedVarint()
    const size = reader.unsignedVarint()
    if (size > reader.remaining) {
      throw new ProtocolError('CORRUPT_FRAME', `tagged field of ${size} bytes, ${reader.remaining} left`)
    }
    const end = reader.offset + size
    for (const [name, field] of Object.entries(fields)) {
      if (field.tag !== tag || version < field.from || version > field.to) continue
      value[name] = decodeField(field, version, true, reader)
      if (reader.offset !== end) throw new ProtocolError('CORRUPT_FRAME', `tagged field ${name} is not ${size} bytes`)
    }
    reader.offset = end
  }
}

function defaultOf(field: Field): unknown {
  if (field.default !== undefined && (field.type !== 'array' || field.default === null)) return field.default
  if (field.type === 'array') return []
  const value: Value = {}
  for (const [name, member] of Object.entries(field.fields ?? {})) value[name] = defaultOf(member)
  return value
}

function decodeField(field: Field, version: number, flexible: boolean, reader: Reader): unknown {
  switch (field.type) {
    case 'boolean':
    case 'int8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'float64':
    case 'uuid':
      return reader[field.type]()
    case 'string': {
      const length = flexible ? reader.compactLength() : reader.length16()
      return length < 0 ? nullOf(field, version, length) : reader.utf8(length)
    }
    case 'bytes':
    case 'records': {
      const length = flexible ? reader.compactLength() : reader.length32()
      return length < 0 ? nullOf(field, version, length) : reader.view(length)
    }
    case 'array': {
      const length = flexible ? reader.compactLength() : reader.length32()
      return length < 0 ? nullOf(field, version, length) : decodeArray(field.item!, length, version, flexible, reader)
    }
    case 'struct': {
      if (version >= field.nullableFrom && reader.int8() < 0) return null
      return decodeFields(field.fields!, version, flexible, reader)
    }
  }
}

function decodeArray(item: Field, length: number, version: number, flexible: boolean, reader: Reader): unknown[] {
  const values: unknown[] = []
  for (let i = 0; i < length; i++) {
    const before = reader.offset
    values.push(decodeField(item, version, flexible, reader))
    if (reader.offset === before) throw new ProtocolError('CORRUPT_FRAME', `array of ${length} empty elements`)
  }
  return values
}

function nullOf(field: Field, version: number, length: number): null {
  if (length < -1) throw new ProtocolError('CORRUPT_FRAME', `length ${length}`)
  if (version < field.nullableFrom) throw new ProtocolError('CORRUPT_FRAME', 'null where a value is required')
  return null
}

function encodeFields(fields: Fields, value: Value, version: number, flexible: boolean, writer: Writer): void {
  let tagged: [Field, unknown][] | undefined
  for (const [name, field] of Object.entries(fields)) {
    if (version < field.from || version > field.to) continue
    const given = value[name]
    if (field.tag < 0) {
      encodeField(field, given === undefined ? defaultOf(field) : given, version, flexible, writer)
    } else if (given !== undefined && !isDefault(field, given)) {
      tagged ??= []
      tagged.push([field, given])
    }
  }
  if (flexible) encodeTagged(tagged, version, writer)
}

/** Kafka leaves a tagged field out when it holds its default. */
function isDefault(field: Field, value: unknown): boolean {
  if (value === field.default) return true
  if (value === null) return false
  if (field.type === 'array') return field.default !== null && (value as unknown[]).length === 0
  if (field.type !== 'struct') return false
  return Object.entries(field.fields!).every(([name, member]) => {
    const given = (value as Value)[name]
    return given === undefined || isDefault(member, given)
  })
}

function encodeTagged(tagged: [Field, unknown][] | undefined, version: number, writer: Writer): void {
  if (tagged === undefined) {
    writer.unsignedVarint(0)
    return
  }
  tagged.sort(([a], [b]) => a.tag - b.tag)
  writer.unsignedVarint(tagged.length)
  for (const [field, value] of tagged) {
    const nested = new Writer()
    encodeField(field, value, version, true, nested)
    writer.unsignedVarint(field.tag)
    writer.unsignedVarint(nested.size)
    for (const chunk of nested.finish()) writer.append(chunk)
  }
}

function encodeField(field: Field, value: unknown, version: number, flexible: boolean, writer: Writer): void {
  if (value === null) {
    encodeNull(field, version, flexible, writer)
    return
  }
  switch (field.type) {
    case 'boolean':
      writer.boolean(value as boolean)
      return
    case 'int8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'float64':
      writer[field.type](value as number)
      return
    case 'uuid':
      writer.uuid(value as string)
      return
    case 'string':
      if (flexible) writer.compactString(value as string)
      else writer.string16(value as string)
      return
    case 'bytes':
      writeLength((value as Uint8Array).length, flexible, writer)
      writer.bytes(value as Uint8Array)
      return
    case 'records':
      encodeRecords(value as RecordsInput, flexible, writer)
      return
    case 'array':
      writeLength((value as unknown[]).length, flexible, writer)
      for (const element of value as unknown[]) encodeField(field.item!, element, version, flexible, writer)
      return
    case 'struct':
      if (version >= field.nullableFrom) writer.int8(1)
      encodeFields(field.fields!, value as Value, version, flexible, writer)
  }
}

function encodeNull(field: Field, version: number, flexible: boolean, writer: Writer): void {
  if (version < field.nullableFrom) throw new TypeError(`${field.type} may not be null in version ${version}`)
  if (field.type === 'struct') writer.int8(-1)
  else if (flexible) writer.unsignedVarint(0)
  else if (field.type === 'string') writer.int16(-1)
  else writer.int32(-1)
}

function writeLength(length: number, flexible: boolean, writer: Writer): void {
  if (flexible) writer.unsignedVarint(length + 1)
  else writer.int32(length)
}

function encodeRecords(records: RecordsInput, flexible: boolean, writer: Writer): void {
  const chunks = Buffer.isBuffer(records) ? [records] : records
  let length = 0
  for (const chunk of chunks) length += chunk.length
  writeLength(length, flexible, writer)
  for (const chunk of chunks) writer.append(chunk)
}

function checkVersion(name: string, versions: readonly [number, number], version: number): void {
  if (version < versions[0] || version > versions[1]) {
    throw new ProtocolError('UNSUPPORTED_VERSION', `${name} v${version}: ${versions[0]} to ${versions[1]} are known`)
  }
}

/** The message's bytes alone, without a version. */
export function encodeMessage<M extends Message>(message: M, version: number, value: MessageInput<M>): Buffer[] {
  const writer = new Writer()
  writeMessage(message, version, value, writer)
  return writer.finish()
}

function writeMessage(message: Message, version: number, value: Value, writer: Writer): void {
  checkVersion(message.name, message.versions, version)
  encodeFields(message.fields, value, version, version >= message.flexible, writer)
}

/** The reverse of {@link encodeMessage}. Bytes after the message are left alone. */
export function decodeMessage<M extends Message>(
  message: M,
  version: number,
  buffer: Buffer,
  offset = 0,
): DecodedMessage<M> {
  checkVersion(message.name, message.versions, version)
  const reader = new Reader(buffer, offset)
  return decodeFields(message.fields, version, version >= message.flexible, reader) as DecodedMessage<M>
}

/** With its version in two bytes in front, as the values of internal topics and the metadata of group members have it. */
export function encodeVersioned<M extends Message>(message: M, version: number, value: MessageInput<M>): Buffer {
  const writer = new Writer()
  writer.int16(version)
  writeMessage(message, version, value, writer)
  return Buffer.concat(writer.finish())
}

/**
 * The reverse of {@link encodeVersioned}.
 * @throws ProtocolError with code UNSUPPORTED_VERSION where the version is not declared
 */
export function decodeVersioned<M extends Message>(
  message: M,
  buffer: Buffer,
): { version: number; value: DecodedMessage<M> } {
  const written = new Reader(buffer).int16()
  const version = message.readsNewer ? Math.min(written, message.versions[1]) : written
  return { version, value: decodeMessage(message, version, buffer, 2) }
}

/** The whole frame, its size in front, for `cork` and `write` or for `writev`. Records are not copied. */
export function encodeRequest<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  clientId: string | null,
  body: RequestInput<A>,
): Buffer[] {
  const writer = new Writer()
  writer.int32(0)
  writer.int16(api.key)
  writer.int16(version)
  writer.int32(correlationId)
  if (clientId === null) writer.int16(-1)
  else writer.string16(clientId)
  if (version >= api.flexible) writer.unsignedVarint(0)
  writeMessage(api.request, version, body, writer)
  return finishFrame(writer)
}

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
  /** Where the body starts in the frame. */
  readonly bodyOffset: number
}

/**
 * Of a frame without its size. A version of a known API beyond what is declared is read as flexible where the newest
 * declared one is, so that the answer (UNSUPPORTED_VERSION) finds its correlation id.
 * @throws ProtocolError
 */
export function decodeRequestHeader(frame: Buffer): RequestHeader {
  const reader = new Reader(frame)
  const apiKey = reader.int16()
  const apiVersion = reader.int16()
  const correlationId = reader.int32()
  const length = reader.length16()
  if (length < -1) throw new ProtocolError('CORRUPT_FRAME', `length ${length} of the client id`)
  const clientId = length < 0 ? null : reader.utf8(length)
  const api = apiByKey(apiKey)
  if (api !== undefined && apiVersion >= api.flexible) reader.skipTaggedFields()
  return { apiKey, apiVersion, correlationId, clientId, bodyOffset: reader.offset }
}

/** @throws ProtocolError */
export function decodeRequest<A extends Api>(api: A, version: number, frame: Buffer, offset: number): RequestOf<A> {
  return decodeMessage(api.request, version, frame, offset) as RequestOf<A>
}

const API_VERSIONS_KEY = 18

/** KIP-511: the answer to ApiVersions must be readable before the client knows what the broker speaks. */
function hasFlexibleResponseHeader(api: Api, version: number): boolean {
  return version >= api.flexible && api.key !== API_VERSIONS_KEY
}

/** The whole frame, its size in front. Records are not copied. */
export function encodeResponse<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  body: ResponseInput<A>,
): Buffer[] {
  const writer = new Writer()
  writer.int32(0)
  writer.int32(correlationId)
  if (hasFlexibleResponseHeader(api, version)) writer.unsignedVarint(0)
  writeMessage(api.response, version, body, writer)
  return finishFrame(writer)
}

/**
 * Of a frame without its size.
 * @throws ProtocolError
 */
export function decodeResponse<A extends Api>(
  api: A,
  version: number,
  frame: Buffer,
): { correlationId: number; body: ResponseOf<A> } {
  const reader = new Reader(frame)
  const correlationId = reader.int32()
  if (hasFlexibleResponseHeader(api, version)) reader.skipTaggedFields()
  return { correlationId, body: decodeMessage(api.response, version, frame, reader.offset) as ResponseOf<A> }
}

function finishFrame(writer: Writer): Buffer[] {
  const size = writer.size - 4
  const chunks = writer.finish()
  chunks[0]!.writeInt32BE(size, 0)
  return chunks
}
