/**
 * The options of a declaration as a message (google.protobuf.FieldOptions and the like), and back. Which fields such a
 * message has comes from descriptor.proto and from the extensions in scope; what neither knows is left out.
 */
import type { ProtoField, ProtoMessage, ProtoOption, ProtoOptionValue } from './proto-tree.ts'
import { allFields, mapTypes } from './proto-tree.ts'
import type { ProtoScope } from './proto-scope.ts'
import { readFields, readVarint, WireWriter, type WireField } from './wire.ts'

export type OptionsOf =
  'File' | 'Message' | 'Field' | 'Oneof' | 'Enum' | 'EnumValue' | 'Service' | 'Method' | 'ExtensionRange'

/** Undefined where there is nothing to write. */
export function encodeOptions(
  options: readonly ProtoOption[],
  of: OptionsOf,
  scope: ProtoScope,
  within: string,
): Buffer | undefined {
  const type = optionsMessage(of, scope)
  if (options.length === 0 || type === undefined) return undefined
  const values = options.flatMap(({ name, isCustom, value }): FieldValue[] => {
    const fullName = isCustom ? scope.resolveExtension(name, within) : undefined
    const field = isCustom ? scope.extension(fullName ?? '') : type.message.fields.find((one) => one.name === name)
    if (field === undefined) return []
    const itself = asEntries(value)
    return (itself.kind === 'list' ? itself.items : [itself]).map((item) => ({
      field,
      within: fullName ?? type.fullName,
      value: item,
    }))
  })
  const bytes = encodeValues(values, scope)
  return bytes.length === 0 ? undefined : bytes
}

export function decodeOptions(bytes: Buffer | undefined, of: OptionsOf, scope: ProtoScope): ProtoOption[] {
  const type = optionsMessage(of, scope)
  if (bytes === undefined || type === undefined) return []
  const options: ProtoOption[] = []
  for (const wire of readFields(bytes)) {
    const own = type.message.fields.find(({ number }) => number === wire.number)
    const extension = own === undefined ? scope.extensionOf(type.fullName, wire.number) : undefined
    const field = own ?? extension?.field
    if (field === undefined) continue
    for (const value of decodeField(field, wire, scope, extension?.fullName ?? type.fullName)) {
      options.push({ name: extension?.fullName ?? field.name, isCustom: extension !== undefined, value })
    }
  }
  return options
}

interface MessageInScope {
  readonly fullName: string
  readonly message: ProtoMessage
}

function optionsMessage(of: OptionsOf, scope: ProtoScope): MessageInScope | undefined {
  return messageNamed(`.google.protobuf.${of}Options`, '', scope)
}

function messageNamed(name: string, within: string, scope: ProtoScope): MessageInScope | undefined {
  const declared = scope.resolve(name, within)
  return declared?.type.kind === 'message' ? { fullName: declared.fullName, message: declared.type } : undefined
}

interface FieldValue {
  readonly field: ProtoField
  /** Where the name of the field's type is looked up from. */
  readonly within: string
  readonly value: ProtoOptionValue
}

/** `(a).b = 1` as `(a) = { b: 1 }` */
function asEntries(value: ProtoOptionValue): ProtoOptionValue {
  if (value.kind !== 'part') return value
  return { kind: 'message', entries: new Map([[value.option.name, asEntries(value.option.value)]]) }
}

function encodeValues(values: readonly FieldValue[], scope: ProtoScope): Buffer {
  const writer = new WireWriter()
  for (const value of values.toSorted((a, b) => a.field.number - b.field.number)) encodeValue(writer, value, scope)
  return writer.finish()
}

function encodeValue(writer: WireWriter, { field, within, value }: FieldValue, scope: ProtoScope): void {
  const map = mapTypes(field.type)
  if (value.kind === 'message') {
    const message =
      map === undefined ? messageNamed(field.type, within, scope) : { fullName: within, message: entryOf(map) }
    if (message === undefined) return
    const entries = [...value.entries].flatMap(([name, entry]): FieldValue[] => {
      const inner = allFields(message.message).find((one) => one.name === name)
      if (inner === undefined) return []
      const items = entry.kind === 'list' ? entry.items : [entry]
      return items.map((item) => ({ field: inner, within: message.fullName, value: asEntries(item) }))
    })
    writer.bytes(field.number, encodeValues(entries, scope))
  } else if ('text' in value) {
    encodeScalar(writer, field, value.text, within, scope)
  }
}

function encodeScalar(
  writer: WireWriter,
  { number, type }: ProtoField,
  text: string,
  within: string,
  scope: ProtoScope,
): void {
  switch (type) {
    case 'string':
      writer.bytes(number, text)
      break
    case 'bytes':
      writer.bytes(number, Buffer.from(text, 'latin1'))
      break
    case 'bool':
      writer.varint(number, text === 'true')
      break
    case 'double':
    case 'float':
    case 'fixed32':
    case 'sfixed32':
    case 'fixed64':
    case 'sfixed64':
      writer.fixed(number, fixedBytes(type, text))
      break
    default:
      writer.varint(number, integerFor(type, text, within, scope))
  }
}

function integerFor(type: string, text: string, within: string, scope: ProtoScope): bigint | undefined {
  const declared = scope.resolve(type, within)?.type
  if (declared?.kind === 'enum') {
    const value = declared.values.find(({ name }) => name === text)
    return value === undefined ? undefined : BigInt(value.number)
  }
  if (!/^-?\d+$/.test(text)) return undefined
  const value = BigInt(text)
  return type.startsWith('sint') ? (value << 1n) ^ (value >> 63n) : value
}

function fixedBytes(type: string, text: string): Buffer {
  const bytes = Buffer.alloc(type === 'float' || type.endsWith('32') ? 4 : 8)
  const value = text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number(text)
  if (type === 'double') bytes.writeDoubleLE(value)
  else if (type === 'float') bytes.writeFloatLE(value)
  else if (bytes.length === 4) bytes.writeInt32LE(value | 0)
  else bytes.writeBigInt64LE(BigInt.asIntN(64, BigInt(Math.trunc(value) || 0)))
  return bytes
}

function entryOf({ key, value }: { readonly key: string; readonly value: string }): ProtoMessage {
  const none = { oneofs: [], groups: [], types: [], reserved: [], extensions: [], extends: [], options: [] }
  const fields = [
    { type: key, name: 'key', number: 1, options: [] },
    { type: value, name: 'value', number: 2, options: [] },
  ]
  return { kind: 'message', name: '', fields, ...none }
}

function decodeField(field: ProtoField, { value }: WireField, scope: ProtoScope, within: string): ProtoOptionValue[] {
  const { type } = field
  if (type === 'string' || type === 'bytes') {
    return Buffer.isBuffer(value)
      ? [{ kind: 'string', text: value.toString(type === 'string' ? 'utf8' : 'latin1') }]
      : []
  }
  if (typeof value === 'bigint') return [integerValue(type, value, scope, within)]
  const map = mapTypes(type)
  const message = map === undefined ? messageNamed(type, within, scope) : { fullName: within, message: entryOf(map) }
  if (message !== undefined) return [{ kind: 'message', entries: decodeMessage(value, message, scope) }]
  if (/^(double|float|s?fixed)/.test(type)) return fixedValues(type, value)
  const packed: ProtoOptionValue[] = []
  for (const cursor = { at: 0 }; cursor.at < value.length;)
    packed.push(integerValue(type, readVarint(value, cursor), scope, within))
  return packed
}

function decodeMessage(
  bytes: Buffer,
  { fullName, message }: MessageInScope,
  scope: ProtoScope,
): ReadonlyMap<string, ProtoOptionValue> {
  const entries = new Map<string, ProtoOptionValue>()
  const fields = allFields(message)
  for (const wire of readFields(bytes)) {
    const field = fields.find(({ number }) => number === wire.number)
    if (field === undefined) continue
    const isRepeated = field.label === 'repeated' || mapTypes(field.type) !== undefined
    for (const value of decodeField(field, wire, scope, fullName)) {
      const before = entries.get(field.name)
      const items = before?.kind === 'list' ? before.items : []
      entries.set(field.name, isRepeated ? { kind: 'list', items: [...items, value] } : value)
    }
  }
  return entries
}

function integerValue(type: string, value: bigint, scope: ProtoScope, within: string): ProtoOptionValue {
  if (type === 'bool') return { kind: 'word', text: value === 0n ? 'false' : 'true' }
  if (type.startsWith('uint')) return { kind: 'number', text: String(value) }
  const signed = type.startsWith('sint') ? (value >> 1n) ^ -(value & 1n) : BigInt.asIntN(64, value)
  const declared = scope.resolve(type, within)?.type
  if (declared?.kind !== 'enum') return { kind: 'number', text: String(signed) }
  return { kind: 'word', text: declared.values.find(({ number }) => BigInt(number) === signed)?.name ?? String(signed) }
}

function fixedValues(type: string, bytes: Buffer): ProtoOptionValue[] {
  const size = type === 'float' || type.endsWith('32') ? 4 : 8
  const values: ProtoOptionValue[] = []
  for (let at = 0; at + size <= bytes.length; at += size)
    values.push({ kind: 'number', text: fixedText(type, bytes, at) })
  return values
}

function fixedText(type: string, bytes: Buffer, at: number): string {
  if (type === 'double') return String(bytes.readDoubleLE(at))
  if (type === 'float') return String(bytes.readFloatLE(at))
  if (type === 'fixed32') return String(bytes.readUInt32LE(at))
  if (type === 'sfixed32') return String(bytes.readInt32LE(at))
  return String(type === 'fixed64' ? bytes.readBigUInt64LE(at) : bytes.readBigInt64LE(at))
}
