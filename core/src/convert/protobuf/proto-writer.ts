/**
 * Values of a Connect schema to Protobuf's wire format, by the message that the schema is written as. Compiled once a
 * schema. Fields stand in the order of their numbers.
 */
import { DataError, type Schema } from '@tidewire/sdk'
import { propertyReader } from '@tidewire/sdk/values'
import { logicalWriter } from './logical-values.ts'
import { enumParameter, enumSymbols, isUnion, protobufName, wrapperTypes } from './names.ts'
import type { ProtobufOptions } from './options.ts'
import { wireTypes } from './proto-input.ts'
import type { ProtoOutput } from './proto-output.ts'
import type { EnumType, MessageField, MessageType, ScalarType } from './proto-types.ts'

/** Writes what follows a field's tag, or the fields of a message. */
type Write = (output: ProtoOutput, value: unknown) => void

/** Writes a field with its tag, or nothing where the value is null or goes without saying. */
type WriteField = Write

type Struct = Readonly<Record<string, unknown>>

interface Value {
  readonly wireType: number
  readonly write: Write
  /** Whether it goes without saying, in a field that does not tell it from null. */
  readonly isDefault: (value: unknown) => boolean
}

/** Writes the content of a message. @throws DataError where schema and message do not go together */
export function compileProtoWriter(schema: Schema, type: MessageType, options: ProtobufOptions): Write {
  return new WriterCompiler(options).message(schema, type, 'value')
}

class WriterCompiler {
  readonly #options: ProtobufOptions

  constructor(options: ProtobufOptions) {
    this.#options = options
  }

  message(schema: Schema, type: MessageType, path: string): Write {
    if (schema.type === 'struct') return this.#struct(schema, type, path)
    const [inner] = type.fields
    if (inner === undefined || !wrapperTypes.has(type.fullName as 'google.protobuf.BoolValue')) {
      throw new DataError(`${path}: ${schema.type} cannot be written as message ${type.fullName}`)
    }
    return singular(inner, this.#scalar(schema, inner.type as ScalarType, path))
  }

  #struct(schema: Schema, type: MessageType, path: string): Write {
    const parts: { readonly number: number; readonly write: (output: ProtoOutput, struct: Struct) => void }[] = []
    for (const { name, schema: fieldSchema } of schema.fields ?? []) {
      const read = this.#reader(name, fieldSchema)
      if (isUnion(fieldSchema)) {
        parts.push(...this.#union(fieldSchema, type, read, `${path}.${name}`))
        continue
      }
      const field = fieldOf(type, protobufName(name, this.#options), path)
      const write = this.#field(fieldSchema, field, `${path}.${name}`)
      parts.push({ number: field.number, write: (output, struct) => write(output, read(struct)) })
    }
    const writes = parts.sort((a, b) => a.number - b.number).map(({ write }) => write)
    return (output, value) => {
      const struct = asStruct(value, path)
      for (const write of writes) write(output, struct)
    }
  }

  /** How to read a field's value, or its default where it has none. */
  #reader(name: string, { default: fallback }: Schema): (struct: Struct) => unknown {
    const own = propertyReader(name)
    if (fallback === undefined || this.#options.ignoreDefaultForNullables) return own ?? ((struct) => struct[name])
    return own === undefined ? (struct) => struct[name] ?? fallback : (struct) => own(struct) ?? fallback
  }

  /** The first member that is set is the one that is written, at the place of its number. */
  #union(schema: Schema, type: MessageType, read: (struct: Struct) => unknown, path: string) {
    const readers = (schema.fields ?? []).map((member) => this.#reader(member.name, member.schema))
    return (schema.fields ?? []).map((member, index) => {
      const field = fieldOf(type, protobufName(member.name, this.#options), path)
      const writeMember = this.#field(member.schema, field, `${path}.${member.name}`)
      const isLast = index === readers.length - 1
      const write = (output: ProtoOutput, struct: Struct): void => {
        const value = read(struct)
        if (value === null || value === undefined) return
        const union = asStruct(value, path)
        for (let before = 0; before < index; before++) {
          const other = readers[before]!(union)
          if (other !== null && other !== undefined) return
        }
        const chosen = readers[index]!(union)
        if (chosen !== null && chosen !== undefined) writeMember(output, chosen)
        else if (isLast) throw new DataError(`${path} has no member that is set`)
      }
      return { number: field.number, write }
    })
  }

  #field(schema: Schema, field: MessageField, path: string): WriteField {
    if (schema.type === 'array') return this.#array(schema, field, path)
    if (schema.type === 'map') return this.#map(schema, field, path)
    return singular(field, this.#value(schema, field, path))
  }

  #array({ values }: Schema, field: MessageField, path: string): WriteField {
    const { write, wireType } = this.#value(values ?? { type: 'string' }, field, `${path}[]`)
    const tag = tagOf(field, wireType)
    const notNull = (output: ProtoOutput, item: unknown) =>
      item === null || item === undefined ? isNull(`${path}[]`) : write(output, item)
    if (!field.isPacked) {
      return (output, value) => {
        if (value === null || value === undefined) return
        for (const item of asArray(value, path)) {
          output.uint32(tag)
          notNull(output, item)
        }
      }
    }
    const writeAll = sized((output, value) => {
      for (const item of value as readonly unknown[]) notNull(output, item)
    })
    const packedTag = tagOf(field, wireTypes.sized)
    return (output, value) => {
      if (value === null || value === undefined || asArray(value, path).length === 0) return
      output.uint32(packedTag)
      writeAll(output, value)
    }
  }

  #map({ keys, values }: Schema, field: MessageField, path: string): WriteField {
    const type = field.type
    if (typeof type === 'string' || type.kind === 'enum') throw unlike(path, 'map', field)
    const writeKey = this.#field(keys ?? { type: 'string' }, fieldOf(type, 'key', path), `${path} key`)
    const writeItem = this.#field(values ?? { type: 'string' }, fieldOf(type, 'value', path), `${path}{}`)
    const writeEntry = sized((output, entry) => {
      const [key, item] = entry as readonly [unknown, unknown]
      writeKey(output, key)
      writeItem(output, item)
    })
    const tag = tagOf(field, wireTypes.sized)
    return (output, value) => {
      if (value === null || value === undefined) return
      const entries = value instanceof Map ? (value as Map<unknown, unknown>) : Object.entries(asStruct(value, path))
      for (const entry of entries) {
        output.uint32(tag)
        writeEntry(output, entry)
      }
    }
  }

  #value(schema: Schema, field: MessageField, path: string): Value {
    const { type } = field
    if (typeof type === 'string') return this.#scalar(schema, type, path)
    if (type.kind === 'enum') return enumValue(schema, type, path)
    const write = sized(logicalWriter(schema, path) ?? this.message(schema, type, path))
    return { wireType: wireTypes.sized, write, isDefault: () => false }
  }

  #scalar(schema: Schema, type: ScalarType, path: string): Value {
    const write = scalarWriter(schema, type, path)
    if (write === undefined) throw new DataError(`${path}: ${schema.type} cannot be written as ${type}`)
    return { wireType: wireTypeOf(type), write, isDefault: defaultTest(type) }
  }
}

function singular(field: MessageField, { write, wireType, isDefault }: Value): WriteField {
  const tag = tagOf(field, wireType)
  if (field.hasPresence) {
    return (output, value) => {
      if (value === null || value === undefined) return
      output.uint32(tag)
      write(output, value)
    }
  }
  return (output, value) => {
    if (value === null || value === undefined || isDefault(value)) return
    output.uint32(tag)
    write(output, value)
  }
}

/** With the length before it. */
function sized(write: Write): Write {
  let width = 1
  return (output, value) => {
    const guess = width
    const start = output.beginSized(guess)
    write(output, value)
    width = output.endSized(start, guess)
  }
}

function enumValue(schema: Schema, type: EnumType, path: string): Value {
  const wireType = wireTypes.varint
  if (schema.type !== 'string') {
    const write = integer32Writer(schema, path, (output, value) => output.int32(value))
    return { wireType, write, isDefault: (value) => value === 0 }
  }
  const parameter = enumParameter(schema)
  const numbers = new Map(parameter === undefined ? [] : enumSymbols(schema, parameter))
  const write: Write = (output, value) => {
    const number = numbers.get(value as string)
    if (number === undefined) throw new DataError(`${path} is ${String(value)}, which is no symbol of ${type.fullName}`)
    output.int32(number)
  }
  return { wireType, write, isDefault: (value) => numbers.get(value as string) === 0 }
}

export function wireTypeOf(type: ScalarType): number {
  if (type === 'string' || type === 'bytes') return wireTypes.sized
  if (type === 'double' || type.endsWith('fixed64')) return wireTypes.fixed64
  return type === 'float' || type.endsWith('fixed32') ? wireTypes.fixed32 : wireTypes.varint
}

function defaultTest(type: ScalarType): (value: unknown) => boolean {
  if (type === 'string') return (value) => value === ''
  if (type === 'bytes') return (value) => value instanceof Uint8Array && value.length === 0
  if (type === 'bool') return (value) => value === false
  // Minus zero is another number than zero.
  if (type === 'double' || type === 'float') return (value) => Object.is(value, 0)
  return (value) => value === 0 || value === 0n
}

function scalarWriter(schema: Schema, type: ScalarType, path: string): Write | undefined {
  switch (schema.type) {
    case 'boolean':
      return (output, value) =>
        typeof value === 'boolean' ? output.uint32(value ? 1 : 0) : mismatch(path, 'a boolean', value)
    case 'string':
      return (output, value) => (typeof value === 'string' ? output.string(value) : mismatch(path, 'text', value))
    case 'bytes':
      return (output, value) => (value instanceof Uint8Array ? output.sized(value) : mismatch(path, 'bytes', value))
    case 'float32':
      return (output, value) => (typeof value === 'number' ? output.float(value) : mismatch(path, 'a number', value))
    case 'float64':
      return (output, value) => (typeof value === 'number' ? output.double(value) : mismatch(path, 'a number', value))
    case 'int8':
    case 'int16':
    case 'int32':
      return integer32Writer(schema, path, integer32(type))
    case 'int64':
      return type === 'uint32' || type === 'fixed32' ? unsigned32Writer(type, path) : integer64Writer(type, path)
    default:
      return undefined
  }
}

function integer32(type: ScalarType): (output: ProtoOutput, value: number) => void {
  if (type === 'sint32') return (output, value) => output.sint32(value)
  if (type === 'sfixed32') return (output, value) => output.fixed32(value)
  return (output, value) => output.int32(value)
}

const limits = { int8: 0x7f, int16: 0x7fff, int32: 0x7fff_ffff }

function integer32Writer({ type }: Schema, path: string, write: (output: ProtoOutput, value: number) => void): Write {
  const limit = limits[type as keyof typeof limits]
  return (output, value) => {
    if (Number.isInteger(value) && (value as number) <= limit && (value as number) >= -limit - 1) {
      write(output, value as number)
    } else mismatch(path, `an ${type}`, value)
  }
}

function unsigned32Writer(type: 'uint32' | 'fixed32', path: string): Write {
  return (output, value) => {
    const number = Number(value)
    if ((typeof value !== 'number' && typeof value !== 'bigint') || !(number >= 0 && number <= 0xffff_ffff)) {
      return mismatch(path, `a ${type}`, value)
    }
    if (!Number.isInteger(number)) return mismatch(path, `a ${type}`, value)
    if (type === 'uint32') output.uint32(number)
    else output.fixed32(number)
  }
}

function integer64Writer(type: ScalarType, path: string): Write {
  const write =
    type === 'sint64'
      ? (output: ProtoOutput, value: number | bigint) => output.sint64(value)
      : type === 'fixed64' || type === 'sfixed64'
        ? (output: ProtoOutput, value: number | bigint) => output.fixed64(value)
        : (output: ProtoOutput, value: number | bigint) => output.int64(value)
  return (output, value) => {
    if (Number.isSafeInteger(value) || (typeof value === 'bigint' && BigInt.asIntN(64, value) === value)) {
      write(output, value as number | bigint)
    } else mismatch(path, 'an int64', value)
  }
}

function tagOf({ number }: MessageField, wireType: number): number {
  return ((number << 3) | wireType) >>> 0
}

function fieldOf(type: MessageType, name: string, path: string): MessageField {
  const field = type.fields.find((each) => each.name === name)
  if (field !== undefined) return field
  throw new DataError(
    `${path}: message ${type.fullName} has no field ${name} (two structs of one message have one name?)`,
  )
}

function asStruct(value: unknown, path: string): Struct {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Struct
  return mismatch(path, 'a struct', value)
}

function asArray(value: unknown, path: string): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : mismatch(path, 'an array', value)
}

function isNull(path: string): never {
  throw new DataError(`${path} is null, which Protobuf has no form for there`)
}

function unlike(path: string, what: string, field: MessageField): DataError {
  return new DataError(`${path}: ${what} cannot be written as field ${field.name}`)
}

function mismatch(path: string, wanted: string, value: unknown): never {
  const shown = typeof value === 'number' || typeof value === 'bigint' ? String(value) : typeof value
  throw new DataError(`${path} is ${shown}, not ${wanted}`)
}
