/** A file as FileDescriptorProto (google/protobuf/descriptor.proto), which some clients register and ask for. */
import { encodeOptions, type OptionsOf } from './descriptor-options.ts'
import { joined, type ProtoScope } from './proto-scope.ts'
import type {
  ProtoEnum,
  ProtoExtend,
  ProtoExtensions,
  ProtoField,
  ProtoFile,
  ProtoMessage,
  ProtoOption,
  ProtoRange,
  ProtoReserved,
  ProtoService,
} from './proto-tree.ts'
import { isScalar, mapTypes } from './proto-tree.ts'
import { WireWriter } from './wire.ts'

/** FieldDescriptorProto.Type */
export const fieldTypes = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  message: 11,
  bytes: 12,
  uint32: 13,
  enum: 14,
  sfixed32: 15,
  sfixed64: 16,
  sint32: 17,
  sint64: 18,
} as const

/** FieldDescriptorProto.Label */
export const fieldLabels = { optional: 1, required: 2, repeated: 3 } as const

/** @param name of the file, which its text does not have */
export function fileDescriptor(file: ProtoFile, scope: ProtoScope, name: string): Buffer {
  return new DescriptorWriter(file, scope).file(name)
}

class DescriptorWriter {
  readonly #file: ProtoFile
  readonly #scope: ProtoScope

  constructor(file: ProtoFile, scope: ProtoScope) {
    this.#file = file
    this.#scope = scope
  }

  file(name: string): Buffer {
    const file = this.#file
    const within = file.package ?? ''
    const imports = [...file.imports, ...file.publicImports]
    const writer = new WireWriter().bytes(1, name).bytes(2, file.package)
    writer.all(3, imports, (path) => path)
    writer.all(4, file.types.filter(isMessage), (message) => this.#message(message, joined(within, message.name)))
    writer.all(5, file.types.filter(isEnum), (type) => this.#enum(type, joined(within, type.name)))
    writer.all(6, file.services, (service) => this.#service(service, within))
    writer.all(7, extensionsOf(file.extends), ({ field, extendee }) => this.#field(field, within, { extendee }))
    writer.bytes(8, this.#options(file.options, 'File', within))
    file.publicImports.forEach((_, at) => writer.varint(10, file.imports.length + at))
    return writer.bytes(12, file.syntax).finish()
  }

  #message(message: ProtoMessage, fullName: string): Buffer {
    const maps = message.fields.filter(({ type }) => mapTypes(type) !== undefined)
    const optional = this.#file.syntax === 'proto3' ? message.fields.filter(({ label }) => label === 'optional') : []
    const writer = new WireWriter().bytes(1, message.name)
    message.oneofs.forEach(({ fields }, oneof) =>
      writer.all(2, fields, (field) => this.#field(field, fullName, { oneof })),
    )
    writer.all(2, message.fields, (field) => {
      const at = optional.indexOf(field)
      return this.#field(field, fullName, at < 0 ? {} : { oneof: message.oneofs.length + at, isOptional: true })
    })
    writer.all(3, message.types.filter(isMessage), (type) => this.#message(type, joined(fullName, type.name)))
    writer.all(3, maps, (field) => this.#mapEntry(field, fullName))
    writer.all(4, message.types.filter(isEnum), (type) => this.#enum(type, joined(fullName, type.name)))
    for (const extensions of message.extensions) {
      writer.all(5, extensions.ranges, (range) => this.#extensionRange(range, extensions, fullName))
    }
    writer.all(6, extensionsOf(message.extends), ({ field, extendee }) => this.#field(field, fullName, { extendee }))
    writer.bytes(7, this.#options(message.options, 'Message', fullName))
    writer.all(8, message.oneofs, ({ name, options }) =>
      new WireWriter()
        .bytes(1, name)
        .bytes(2, this.#options(options, 'Oneof', fullName))
        .finish(),
    )
    writer.all(8, optional, ({ name }) => new WireWriter().bytes(1, `_${name}`).finish())
    return reserve(writer, 9, message.reserved, 1).finish()
  }

  #field(field: ProtoField, within: string, { extendee, oneof, isOptional }: FieldPlace): Buffer {
    const isMap = mapTypes(field.type) !== undefined
    const label = isMap ? 'repeated' : (field.label ?? (oneof === undefined ? undefined : 'optional'))
    const type = isMap
      ? { number: fieldTypes.message, name: `.${within}.${entryName(field.name)}` }
      : this.#type(field.type, within)
    return new WireWriter()
      .bytes(1, field.name)
      .bytes(2, extendee === undefined ? undefined : this.#fullName(extendee, within))
      .varint(3, field.number)
      .varint(4, label === undefined ? undefined : fieldLabels[label])
      .varint(5, type.number)
      .bytes(6, type.name)
      .bytes(7, field.defaultValue)
      .bytes(8, this.#options(field.options, 'Field', within))
      .varint(9, oneof)
      .bytes(10, field.jsonName)
      .varint(17, isOptional)
      .finish()
  }

  #type(name: string, within: string): { number: number | undefined; name: string | undefined } {
    if (isScalar(name)) return { number: fieldTypes[name as keyof typeof fieldTypes], name: undefined }
    const kind = this.#scope.resolve(name, within)?.type.kind
    return { number: kind === undefined ? undefined : fieldTypes[kind], name: this.#fullName(name, within) }
  }

  #fullName(name: string, within: string): string {
    const declared = this.#scope.resolve(name, within)
    return declared === undefined ? name : `.${declared.fullName}`
  }

  #mapEntry(field: ProtoField, fullName: string): Buffer {
    const { key, value } = mapTypes(field.type) ?? { key: 'string', value: 'string' }
    const entryField = (name: string, number: number, type: string) =>
      this.#field({ name, number, type, label: 'optional', options: [] }, fullName, {})
    return new WireWriter()
      .bytes(1, entryName(field.name))
      .bytes(2, entryField('key', 1, key))
      .bytes(2, entryField('value', 2, value))
      .bytes(7, new WireWriter().varint(7, true).finish())
      .finish()
  }

  #extensionRange(range: ProtoRange, { options }: ProtoExtensions, within: string): Buffer {
    const { first, last } = ends(range)
    const encoded = this.#options(options, 'ExtensionRange', within)
    return new WireWriter()
      .varint(1, first)
      .varint(2, last + 1)
      .bytes(3, encoded)
      .finish()
  }

  #enum(type: ProtoEnum, fullName: string): Buffer {
    const writer = new WireWriter().bytes(1, type.name)
    writer.all(2, type.values, ({ name, number, options }) =>
      new WireWriter()
        .bytes(1, name)
        .varint(2, number)
        .bytes(3, this.#options(options, 'EnumValue', fullName))
        .finish(),
    )
    writer.bytes(3, this.#options(type.options, 'Enum', fullName))
    return reserve(writer, 4, type.reserved, 0).finish()
  }

  #service(service: ProtoService, within: string): Buffer {
    const writer = new WireWriter().bytes(1, service.name)
    writer.all(2, service.rpcs, (rpc) =>
      new WireWriter()
        .bytes(1, rpc.name)
        .bytes(2, this.#fullName(rpc.requestType, within))
        .bytes(3, this.#fullName(rpc.responseType, within))
        .bytes(4, this.#options(rpc.options, 'Method', within))
        .varint(5, rpc.requestStreaming || undefined)
        .varint(6, rpc.responseStreaming || undefined)
        .finish(),
    )
    return writer.bytes(3, this.#options(service.options, 'Service', within)).finish()
  }

  #options(options: readonly ProtoOption[], of: OptionsOf, within: string): Buffer | undefined {
    return encodeOptions(options, of, this.#scope, within)
  }
}

interface FieldPlace {
  readonly extendee?: string
  /** The index of the oneof that it is in. */
  readonly oneof?: number
  /** `optional` of proto3, which makes a oneof of the field alone. */
  readonly isOptional?: boolean
}

function isMessage(type: ProtoMessage | ProtoEnum): type is ProtoMessage {
  return type.kind === 'message'
}

function isEnum(type: ProtoMessage | ProtoEnum): type is ProtoEnum {
  return type.kind === 'enum'
}

function extensionsOf(all: readonly ProtoExtend[]): { field: ProtoField; extendee: string }[] {
  return all.flatMap(({ name, fields }) => fields.map((field) => ({ field, extendee: name })))
}

/** Ranges as `number`, names as the field after it. @param beyond 1 where a range's end is exclusive */
function reserve(writer: WireWriter, number: number, reserved: readonly ProtoReserved[], beyond: 0 | 1): WireWriter {
  const values = reserved.flatMap(({ values: some }) => some)
  writer.all(
    number,
    values.filter((value) => typeof value !== 'string'),
    (range) => {
      const { first, last } = ends(range)
      return new WireWriter()
        .varint(1, first)
        .varint(2, last + beyond)
        .finish()
    },
  )
  return writer.all(
    number + 1,
    values.filter((value) => typeof value === 'string'),
    (name) => name,
  )
}

function ends(range: ProtoRange): { readonly first: number; readonly last: number } {
  return typeof range === 'number' ? { first: range, last: range } : range
}

/** The message that compilers make of a map field: its name in camel case, and `Entry`. */
function entryName(field: string): string {
  return `${field.replaceAll(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase())}Entry`
}
