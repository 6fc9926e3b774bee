/**
 * The language in which wire messages are declared: plain data, one declaration a message for all its versions. The
 * codec encodes and decodes from it, the documentation is printed from it, and the TypeScript types are inferred from
 * it, so that none of them can drift apart.
 *
 * Field names are those of Kafka's protocol guide in camelCase.
 */

type FieldType =
  | 'boolean'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'float64'
  | 'string'
  | 'uuid'
  | 'bytes'
  | 'records'
  | 'array'
  | 'struct'

/**
 * One field, and in which versions it is on the wire.
 * T: what decoding gives; E: what encoding takes; O: whether it may be left out when encoding.
 */
export interface Field<T = unknown, E = unknown, O extends boolean = boolean> {
  readonly type: FieldType
  /** First version that has the field. Default 0. */
  readonly from: number
  /** Last version that has the field. */
  readonly to: number
  /** First version in which it may be null; Infinity where never. */
  readonly nullableFrom: number
  /** Number of a tagged field (KIP-482), -1 for one in the ordinary order. */
  readonly tag: number
  /** What a reader gets where the version lacks the field, and what a writer sends where the caller left it out. */
  readonly default: unknown
  /** Element of an array. */
  readonly item?: Field
  /** Members of a struct. */
  readonly fields?: Fields
  /** Never set: carries the types. */
  readonly types?: { readonly decoded: T; readonly encoded: E; readonly optional: O }
}

/** Whether a version has the field, tagged or not. */
export function isPresent(field: Field, version: number): boolean {
  return version >= field.from && version <= field.to
}

export function isTagged(field: Field): boolean {
  return field.tag >= 0
}

export type Fields = Readonly<Record<string, Field>>

interface Options {
  readonly from?: number
  readonly to?: number
  /** Nullable from this version on. */
  readonly nullable?: number
  readonly default?: unknown
  readonly tag?: number
}

/** A field may be left out when encoding if it has a stated default, or is not part of every version. */
type IsOptional<O extends Options> = O extends
  { readonly default: unknown } | { readonly from: number } | { readonly to: number } | { readonly tag: number }
  ? true
  : false

type OrNull<T, O extends Options> = O extends { readonly nullable: number } ? T | null : T

/** What decoding a set of fields gives: every field of every version, with its default where the version lacks it. */
export type DecodeOf<F extends Fields> = {
  -readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never
}

type OptionalKeys<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<unknown, unknown, infer O> ? (O extends true ? K : never) : never
}[keyof F]

/** What encoding a set of fields takes. Fields with a default and those not in every version may be left out. */
export type EncodeOf<F extends Fields> = {
  readonly [K in Exclude<keyof F, OptionalKeys<F>>]: F[K] extends Field<unknown, infer E> ? E : never
} & {
  readonly [K in OptionalKeys<F>]?: F[K] extends Field<unknown, infer E> ? E | undefined : never
}

/** Record batches on their way out: sent as they are, never copied. */
export type RecordsInput = Buffer | readonly Buffer[]

/** The all-zero uuid, which stands for "none". */
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

function field<T, E, O extends Options>(
  type: FieldType,
  implicitDefault: unknown,
  options: O | undefined,
): Field<OrNull<T, O>, OrNull<E, O>, IsOptional<O>> {
  return {
    type,
    from: options?.from ?? 0,
    to: options?.to ?? Infinity,
    nullableFrom: options?.nullable ?? Infinity,
    tag: options?.tag ?? -1,
    default: options?.default === undefined ? implicitDefault : options.default,
  }
}

type Scalar<T, O extends Options> = Field<OrNull<T, O>, OrNull<T, O>, IsOptional<O>>

export const boolean = <const O extends Options>(options?: O): Scalar<boolean, O> => field('boolean', false, options)
export const int8 = <const O extends Options>(options?: O): Scalar<number, O> => field('int8', 0, options)
export const int16 = <const O extends Options>(options?: O): Scalar<number, O> => field('int16', 0, options)
export const int32 = <const O extends Options>(options?: O): Scalar<number, O> => field('int32', 0, options)
/** A JavaScript number; what lies beyond the safe integers is clamped to them when read. */
export const int64 = <const O extends Options>(options?: O): Scalar<number, O> => field('int64', 0, options)
export const float64 = <const O extends Options>(options?: O): Scalar<number, O> => field('float64', 0, options)
export const string = <const O extends Options>(options?: O): Scalar<string, O> => field('string', '', options)
/** In Kafka's notation, 22 characters of base64url: as its tools print topic ids. */
export const uuid = <const O extends Options>(options?: O): Scalar<string, O> => field('uuid', ZERO_UUID, options)
/** Decoded as a view into the frame. */
export const bytes = <const O extends Options>(
  options?: O,
): Field<OrNull<Buffer, O>, OrNull<Uint8Array, O>, IsOptional<O>> => field('bytes', Buffer.alloc(0), options)
/** Record batches: decoded as a view into the frame, encoded without copying. */
export const records = <const O extends Options>(
  options?: O,
): Field<OrNull<Buffer, O>, OrNull<RecordsInput, O>, IsOptional<O>> => field('records', null, options)

export function struct<const F extends Fields, const O extends Options>(
  fields: F,
  options?: O,
): Field<OrNull<DecodeOf<F>, O>, OrNull<EncodeOf<F>, O>, IsOptional<O>> {
  return { ...field<DecodeOf<F>, EncodeOf<F>, O>('struct', undefined, options), fields }
}

type ItemDecoded<I> = I extends Field<infer T> ? T : I extends Fields ? DecodeOf<I> : never
type ItemEncoded<I> = I extends Field<unknown, infer E> ? E : I extends Fields ? EncodeOf<I> : never

/** Of one type of element, or of structs with the fields given. */
export function array<const I extends Field | Fields, const O extends Options>(
  item: I,
  options?: O,
): Field<OrNull<ItemDecoded<I>[], O>, OrNull<readonly ItemEncoded<I>[], O>, IsOptional<O>> {
  return {
    ...field<ItemDecoded<I>[], readonly ItemEncoded<I>[], O>('array', [], options),
    item: isField(item) ? item : struct(item),
  }
}

/** A field called `type` inside a set of fields is an object; the `type` of a field is a string. */
function isField(item: Field | Fields): item is Field {
  return typeof item.type === 'string'
}

/** A message that stands alone: the key or value of an internal record, the metadata of a group member. */
export interface Message<F extends Fields = Fields> {
  readonly name: string
  readonly versions: readonly [number, number]
  /** First flexible version (compact lengths, tagged fields); Infinity where none is. */
  readonly flexible: number
  /** Versions newer than the last declared are read as that one: fields are only ever added at the end. */
  readonly readsNewer: boolean
  readonly fields: F
}

/** One API of the protocol: its request and its response. */
export interface Api<Q extends Fields = Fields, S extends Fields = Fields> {
  readonly key: number
  readonly name: string
  readonly versions: readonly [number, number]
  readonly flexible: number
  readonly request: Message<Q>
  readonly response: Message<S>
}

interface MessageDeclaration<F extends Fields> {
  readonly name: string
  readonly versions: readonly [number, number]
  readonly flexible?: number
  readonly readsNewer?: boolean
  readonly fields: F
}

export function defineMessage<const F extends Fields>(declaration: MessageDeclaration<F>): Message<F> {
  const { name, versions, flexible = Infinity, readsNewer = false, fields } = declaration
  return { name, versions, flexible, readsNewer, fields }
}

interface ApiDeclaration<Q extends Fields, S extends Fields> {
  readonly key: number
  readonly name: string
  /** First and last version declared. */
  readonly versions: readonly [number, number]
  /** First flexible version; left out where there is none. */
  readonly flexible?: number
  readonly request: Q
  readonly response: S
}

export function defineApi<const Q extends Fields, const S extends Fields>(
  declaration: ApiDeclaration<Q, S>,
): Api<Q, S> {
  const { key, name, versions, flexible = Infinity, request, response } = declaration
  return {
    key,
    name,
    versions,
    flexible,
    request: { name: `${name}Request`, versions, flexible, readsNewer: false, fields: request },
    response: { name: `${name}Response`, versions, flexible, readsNewer: false, fields: response },
  }
}

/** What decoding a message gives. */
export type DecodedMessage<M extends Message> = DecodeOf<M['fields']>
/** What encoding a message takes. */
export type MessageInput<M extends Message> = EncodeOf<M['fields']>
/** What decoding a request gives. */
export type RequestOf<A extends Api> = DecodeOf<A['request']['fields']>
/** What decoding a response gives. */
export type ResponseOf<A extends Api> = DecodeOf<A['response']['fields']>
/** What encoding a request takes. */
export type RequestInput<A extends Api> = EncodeOf<A['request']['fields']>
/** What encoding a response takes. */
export type ResponseInput<A extends Api> = EncodeOf<A['response']['fields']>
