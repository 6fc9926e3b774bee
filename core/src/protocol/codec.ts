/**
 * Encodes and decodes every message of the protocol from its declaration. Pure: bytes in, objects out, and back.
 *
 * Malformed input throws ProtocolError and nothing else, and never makes the decoder allocate more than the frame at
 * hand justifies.
 */
import { apiByKey } from './apis.ts'
import { compileDecoder, type Decoder } from './compile-decoder.ts'
import { compileEncoder, type Encoder } from './compile-encoder.ts'
import { ProtocolError } from './errors.ts'
import type {
  Api,
  DecodedMessage,
  Message,
  MessageInput,
  RequestInput,
  RequestOf,
  ResponseInput,
  ResponseOf,
} from './message.ts'
import { Reader, Writer } from './primitives.ts'

/** Array elements that a request may have altogether: beyond what any client sends, and a bound on the memory it takes. */
const MAX_REQUEST_ELEMENTS = 1_000_000

const decoders = new Map<Message, Decoder[]>()
const encoders = new Map<Message, Encoder[]>()

/** Made when a version is met for the first time. */
function compiled<T>(cache: Map<Message, T[]>, message: Message, version: number, make: () => T): T {
  let versions = cache.get(message)
  if (versions === undefined) cache.set(message, (versions = []))
  const known = versions[version]
  if (known !== undefined) return known
  const [first, last] = message.versions
  if (version < first || version > last || !Number.isInteger(version)) {
    throw new ProtocolError('UNSUPPORTED_VERSION', `${message.name} v${version}: ${first} to ${last} are known`)
  }
  return (versions[version] = make())
}

function writeMessage(message: Message, version: number, value: unknown, writer: Writer): void {
  const encode = compiled(encoders, message, version, () => compileEncoder(message, version))
  try {
    encode(writer, value)
  } catch (error) {
    throw new TypeError(`${message.name} v${version}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

function readMessage(message: Message, version: number, reader: Reader): unknown {
  return compiled(decoders, message, version, () => compileDecoder(message, version))(reader)
}

/**
 * The message's bytes alone, without a version.
 * @throws TypeError where the value is not what the declaration says; likewise for all that encodes
 */
export function encodeMessage<M extends Message>(message: M, version: number, value: MessageInput<M>): Buffer[] {
  const writer = new Writer()
  writeMessage(message, version, value, writer)
  return writer.finish()
}

/** The reverse of {@link encodeMessage}. Bytes after the message are left alone. */
export function decodeMessage<M extends Message>(
  message: M,
  version: number,
  buffer: Buffer,
  offset = 0,
): DecodedMessage<M> {
  return readMessage(message, version, new Reader(buffer, offset)) as DecodedMessage<M>
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
  writer.nullableString(clientId)
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
  const clientId = reader.nullableString()
  const api = apiByKey(apiKey)
  if (api !== undefined && apiVersion >= api.flexible) reader.skipTaggedFields()
  return { apiKey, apiVersion, correlationId, clientId, bodyOffset: reader.offset }
}

/** @throws ProtocolError */
export function decodeRequest<A extends Api>(api: A, version: number, frame: Buffer, offset: number): RequestOf<A> {
  return readMessage(api.request, version, new Reader(frame, offset, MAX_REQUEST_ELEMENTS)) as RequestOf<A>
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
  return { correlationId, body: readMessage(api.response, version, reader) as ResponseOf<A> }
}

function finishFrame(writer: Writer): Buffer[] {
  const size = writer.size - 4
  const chunks = writer.finish()
  chunks[0]!.writeInt32BE(size, 0)
  return chunks
}
