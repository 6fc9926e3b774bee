/**
 * The messages of a .proto file with all names resolved: what writers and readers are compiled from. Groups are left out,
 * since Connect has no form for them; their bytes are passed over.
 */
import { DataError } from '@tidewire/sdk'
import type { ParsedProto } from '../../schemas/protobuf/protobuf-format.ts'
import { joined, type DeclaredType } from '../../schemas/protobuf/proto-scope.ts'
import {
  mapTypes,
  type ProtoEnum,
  type ProtoField,
  type ProtoMessage,
  type ProtoOptionValue,
} from '../../schemas/protobuf/proto-tree.ts'
import { mapEntryName } from './names.ts'

export const scalarTypes = [
  'double',
  'float',
  'int32',
  'int64',
  'uint32',
  'uint64',
  'sint32',
  'sint64',
  'fixed32',
  'fixed64',
  'sfixed32',
  'sfixed64',
  'bool',
  'string',
  'bytes',
] as const

export type ScalarType = (typeof scalarTypes)[number]

export type FieldType = ScalarType | MessageType | EnumType

export interface EnumType {
  readonly kind: 'enum'
  readonly name: string
  readonly fullName: string
  readonly values: readonly { readonly name: string; readonly number: number }[]
}

export interface OneofType {
  readonly name: string
  readonly fullName: string
  /** Its place among the oneofs of the message. */
  readonly index: number
  readonly fields: readonly MessageField[]
}

export interface MessageField {
  readonly name: string
  readonly number: number
  readonly type: FieldType
  readonly isRepeated: boolean
  /** Written as one block, if repeated. Readers take both forms. */
  readonly isPacked: boolean
  /** `optional` as written (proto3), or meant (proto2). */
  readonly isOptional: boolean
  /** Whether a value that is set to the default is written. */
  readonly hasPresence: boolean
  readonly isProto2: boolean
  readonly oneof: string | undefined
  /** `default` of proto2, as written. */
  readonly defaultText: string | undefined
  /** `(confluent.field_meta).params` */
  readonly params: ReadonlyMap<string, string>
}

export interface MessageType {
  readonly kind: 'message'
  readonly name: string
  readonly fullName: string
  /** All, those of oneofs too, in the order of their declaration, those of oneofs last. */
  readonly fields: readonly MessageField[]
  readonly oneofs: readonly OneofType[]
}

/** The types that a parsed schema can name. */
export class ProtoTypes {
  readonly #proto: ParsedProto
  readonly #messages = new Map<string, MessageType>()
  readonly #enums = new Map<string, EnumType>()

  constructor(proto: ParsedProto) {
    this.#proto = proto
  }

  /** @throws DataError where there is no such message, or it has fields of unknown types */
  message(fullName: string): MessageType {
    const declared = this.#proto.scope.type(fullName)
    if (declared?.type.kind !== 'message') throw new DataError(`the schema has no message ${fullName}`)
    return this.#messageType(declared, declared.type)
  }

  #messageType(declared: DeclaredType, message: ProtoMessage): MessageType {
    const { fullName } = declared
    const known = this.#messages.get(fullName)
    if (known !== undefined) return known
    const fields: MessageField[] = []
    const oneofs: OneofType[] = []
    const type: MessageType = { kind: 'message', name: message.name, fullName, fields, oneofs }
    // Known before its fields are: a message may contain itself.
    this.#messages.set(fullName, type)
    const isProto2 = (declared.importedFrom?.file ?? this.#proto.file).syntax !== 'proto3'
    for (const field of message.fields) fields.push(this.#field(field, fullName, isProto2, undefined))
    for (const [index, oneof] of message.oneofs.entries()) {
      const members = oneof.fields.map((field) => this.#field(field, fullName, isProto2, oneof.name))
      fields.push(...members)
      oneofs.push({ name: oneof.name, fullName: joined(fullName, oneof.name), index, fields: members })
    }
    return type
  }

  #field(field: ProtoField, within: string, isProto2: boolean, oneof: string | undefined): MessageField {
    const map = mapTypes(field.type)
    const type =
      map === undefined
        ? this.#type(field.type, within)
        : this.#mapEntry(field.name, map.key, map.value, within, isProto2)
    const isRepeated = map !== undefined || field.label === 'repeated'
    const isMessage = typeof type === 'object' && type.kind === 'message'
    const isOptional =
      !isRepeated && oneof === undefined && (field.label === 'optional' || (isProto2 && field.label !== 'required'))
    return {
      name: field.name,
      number: field.number,
      type,
      isRepeated,
      isPacked: isRepeated && !isMessage && type !== 'string' && type !== 'bytes' && packedOption(field, !isProto2),
      isOptional,
      hasPresence: !isRepeated && (isMessage || isProto2 || isOptional || oneof !== undefined),
      isProto2,
      oneof,
      defaultText: field.defaultValue,
      params: metaParams(field),
    }
  }

  #type(name: string, within: string): FieldType {
    if ((scalarTypes as readonly string[]).includes(name)) return name as ScalarType
    const declared = this.#proto.scope.resolve(name, within)
    if (declared === undefined) throw new DataError(`the schema does not say what type ${name} of ${within} is`)
    if (declared.type.kind === 'message') return this.#messageType(declared, declared.type)
    return this.#enumType(declared.fullName, declared.type)
  }

  #enumType(fullName: string, { name, values }: ProtoEnum): EnumType {
    let type = this.#enums.get(fullName)
    if (type === undefined) this.#enums.set(fullName, (type = { kind: 'enum', name, fullName, values }))
    return type
  }

  /** `map<key, value>` stands for repeated messages of an entry. */
  #mapEntry(field: string, key: string, value: string, within: string, isProto2: boolean): MessageType {
    const name = mapEntryName(field)
    const entryField = (fieldName: string, number: number, type: string) =>
      this.#field({ name: fieldName, number, type, options: [] }, within, isProto2, undefined)
    const fields = [entryField('key', 1, key), entryField('value', 2, value)]
    return { kind: 'message', name, fullName: joined(within, name), fields, oneofs: [] }
  }
}

function packedOption({ options }: ProtoField, otherwise: boolean): boolean {
  const packed = options.find(({ name, isCustom }) => name === 'packed' && !isCustom)?.value
  return packed?.kind === 'word' ? packed.text === 'true' : otherwise
}

/** Whether a message holds the entries of a map, by what it is called and holds: Confluent's converter does not mark them. */
export function isEntry({ name, fields: [key, value, ...others] }: MessageType): boolean {
  return (
    name.endsWith('Entry') &&
    key?.name === 'key' &&
    value?.name === 'value' &&
    others.length === 0 &&
    !key.isRepeated &&
    !value.isRepeated
  )
}

const noParams: ReadonlyMap<string, string> = new Map()

function metaParams({ options }: ProtoField): ReadonlyMap<string, string> {
  const found = options.find(({ name, isCustom }) => isCustom && /^\.?confluent\.field_meta$/.test(name))?.value
  if (found === undefined) return noParams
  const params = found.kind === 'part' && found.option.name === 'params' ? found.option.value : entry(found, 'params')
  const params0 = params?.kind === 'list' ? params.items : params === undefined ? [] : [params]
  const pairs = params0.map((pair) => [text(entry(pair, 'key')), text(entry(pair, 'value'))] as const)
  return new Map(pairs)
}

function entry(value: ProtoOptionValue, key: string): ProtoOptionValue | undefined {
  return value.kind === 'message' ? value.entries.get(key) : undefined
}

function text(value: ProtoOptionValue | undefined): string {
  return value === undefined || !('text' in value) ? '' : value.text
}
