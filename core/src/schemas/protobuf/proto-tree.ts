/** A .proto file as a tree, after parsing: what it declares, in its order, without comments. Names are as written. */

export type ProtoLabel = 'required' | 'optional' | 'repeated'

/** What stands behind the `=` of an option. A `word` is an identifier: an enum's constant, `true`, `false`, `inf`. */
export type ProtoOptionValue =
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'message'; readonly entries: ReadonlyMap<string, ProtoOptionValue> }
  | { readonly kind: 'list'; readonly items: readonly ProtoOptionValue[] }
  /** `(a).b = 1` sets a part of option `(a)`. */
  | { readonly kind: 'part'; readonly option: ProtoOption }

export interface ProtoOption {
  readonly name: string
  /** In parentheses: an extension of the options' message, by its name. */
  readonly isCustom: boolean
  readonly value: ProtoOptionValue
}

export interface ProtoField {
  readonly label?: ProtoLabel
  /** A scalar's name, a type's name as written, or `map<key, value>`; see {@link mapTypes}. */
  readonly type: string
  readonly name: string
  readonly number: number
  /** The text of option `default`, which is no option of the field's options message. */
  readonly defaultValue?: string
  /** `json_name`, likewise. */
  readonly jsonName?: string
  readonly options: readonly ProtoOption[]
}

/** A field with its message in one (`group Result = 1 { … }`, proto2). */
export interface ProtoGroup {
  readonly label?: ProtoLabel
  readonly name: string
  readonly number: number
  readonly fields: readonly ProtoField[]
}

export interface ProtoOneof {
  readonly name: string
  readonly fields: readonly ProtoField[]
  readonly groups: readonly ProtoGroup[]
  readonly options: readonly ProtoOption[]
}

/** A number, or numbers from first to last. */
export type ProtoRange = number | { readonly first: number; readonly last: number }

export interface ProtoReserved {
  readonly values: readonly (string | ProtoRange)[]
}

export interface ProtoExtensions {
  readonly ranges: readonly ProtoRange[]
  readonly options: readonly ProtoOption[]
}

export interface ProtoExtend {
  readonly name: string
  readonly fields: readonly ProtoField[]
}

export interface ProtoMessage {
  readonly kind: 'message'
  readonly name: string
  /** Fields outside oneofs. */
  readonly fields: readonly ProtoField[]
  readonly oneofs: readonly ProtoOneof[]
  readonly groups: readonly ProtoGroup[]
  readonly types: readonly ProtoType[]
  readonly reserved: readonly ProtoReserved[]
  readonly extensions: readonly ProtoExtensions[]
  readonly extends: readonly ProtoExtend[]
  readonly options: readonly ProtoOption[]
}

export interface ProtoEnumValue {
  readonly name: string
  readonly number: number
  readonly options: readonly ProtoOption[]
}

export interface ProtoEnum {
  readonly kind: 'enum'
  readonly name: string
  readonly values: readonly ProtoEnumValue[]
  readonly reserved: readonly ProtoReserved[]
  readonly options: readonly ProtoOption[]
}

export type ProtoType = ProtoMessage | ProtoEnum

export interface ProtoRpc {
  readonly name: string
  readonly requestType: string
  readonly requestStreaming: boolean
  readonly responseType: string
  readonly responseStreaming: boolean
  readonly options: readonly ProtoOption[]
}

export interface ProtoService {
  readonly name: string
  readonly rpcs: readonly ProtoRpc[]
  readonly options: readonly ProtoOption[]
}

export interface ProtoFile {
  /** Undefined where the file does not say; it means proto2. */
  readonly syntax?: 'proto2' | 'proto3'
  readonly package?: string
  readonly imports: readonly string[]
  readonly publicImports: readonly string[]
  readonly types: readonly ProtoType[]
  readonly extends: readonly ProtoExtend[]
  readonly services: readonly ProtoService[]
  readonly options: readonly ProtoOption[]
}

/** The highest field number there is (29 bits); as the end of a range it is written `max`. */
export const maxFieldNumber = 536_870_911

const scalars: ReadonlySet<string> = new Set([
  'bool',
  'bytes',
  'double',
  'fixed32',
  'fixed64',
  'float',
  'int32',
  'int64',
  'sfixed32',
  'sfixed64',
  'sint32',
  'sint64',
  'string',
  'uint32',
  'uint64',
])

export function isScalar(type: string): boolean {
  return scalars.has(type)
}

/** The types of a map field's key and value; undefined where the field is no map. */
export function mapTypes(type: string): { readonly key: string; readonly value: string } | undefined {
  if (!type.startsWith('map<')) return undefined
  const comma = type.indexOf(',')
  return { key: type.slice('map<'.length, comma), value: type.slice(comma + 1, -1).trim() }
}

/** All fields of a message, those in oneofs too (groups aside). */
export function allFields(message: ProtoMessage): readonly ProtoField[] {
  if (message.oneofs.length === 0) return message.fields
  return [...message.fields, ...message.oneofs.flatMap((oneof) => oneof.fields)]
}

/** Whether a message stands for the entries of a map: made by compilers, which write a map field so. */
export function isMapEntry(message: ProtoMessage): boolean {
  return message.options.some(
    ({ name, value }) => name === 'map_entry' && value.kind === 'word' && value.text === 'true',
  )
}

/** The types of the map that an entry message stands for. */
export function entryTypes({ fields }: ProtoMessage): { readonly key: string; readonly value: string } {
  const typeOf = (name: string) => fields.find((field) => field.name === name)?.type ?? 'string'
  return { key: typeOf('key'), value: typeOf('value') }
}
