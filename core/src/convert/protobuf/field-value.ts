/** How single values of a field are read: what stands behind a tag, and what there is without one. */
import type { Schema, SchemaType } from '@tidewire/sdk'
import { meta, typeParameter } from './names.ts'
import type { ProtoInput } from './proto-input.ts'
import type { MessageField, ScalarType } from './proto-types.ts'
import { wireTypeOf } from './proto-writer.ts'

export type OpenSchema = { -readonly [K in keyof Schema]: Schema[K] }
export type OpenStruct = Record<string, unknown>

/** How to read one value of a field. */
export interface FieldValue {
  readonly schema: OpenSchema
  readonly parameters: Record<string, string>
  readonly wireType: number
  /** Undefined: a value that the field's enum does not have (proto2). */
  readonly read: (input: ProtoInput) => unknown
  /** What a message without the field has. A list or a struct must be made anew each time. */
  readonly empty: () => unknown
  /** Of structs, whose fields come in parts if the field comes twice. */
  readonly merge?: (input: ProtoInput, end: number, struct: OpenStruct) => void
}

export const noBytes = Buffer.alloc(0)

const scalarSchemas: Readonly<Record<ScalarType, SchemaType>> = {
  double: 'float64',
  float: 'float32',
  int32: 'int32',
  sint32: 'int32',
  sfixed32: 'int32',
  int64: 'int64',
  uint32: 'int64',
  uint64: 'int64',
  sint64: 'int64',
  fixed32: 'int64',
  fixed64: 'int64',
  sfixed64: 'int64',
  bool: 'boolean',
  string: 'string',
  bytes: 'bytes',
}

export function scalarValue(type: ScalarType, { params, defaultText }: MessageField): FieldValue {
  const connectType = params.get(meta.connectType)
  const wide = scalarReader(type)
  const shared = { wireType: wireTypeOf(type) }
  const whenAbsent = defaultText === undefined ? zeroOf(type) : defaultOf(type, defaultText)
  if (scalarSchemas[type] === 'int32' && (connectType === 'int8' || connectType === 'int16')) {
    const shift = connectType === 'int8' ? 24 : 16
    const narrow = (value: unknown) => ((value as number) << shift) >> shift
    const empty = () => narrow(whenAbsent)
    return { ...shared, schema: { type: connectType }, parameters: {}, read: (input) => narrow(wide(input)), empty }
  }
  const parameters: Record<string, string> = {}
  const isPlain = scalarSchemas[type] !== 'int32' && scalarSchemas[type] !== 'int64'
  if (!isPlain && type !== scalarSchemas[type]) parameters[typeParameter] = type
  return { ...shared, schema: { type: scalarSchemas[type] }, parameters, read: wide, empty: () => whenAbsent }
}

const scalarReaders: Readonly<Record<ScalarType, (input: ProtoInput) => unknown>> = {
  double: (input) => input.double(),
  float: (input) => input.float(),
  int32: (input) => input.int32(),
  int64: (input) => input.int64(),
  uint32: (input) => input.uint32(),
  // As Java has it, which knows no unsigned numbers: from 2^63 on they are negative.
  uint64: (input) => input.int64(),
  sint32: (input) => input.sint32(),
  sint64: (input) => input.sint64(),
  fixed32: (input) => input.fixed32(),
  fixed64: (input) => input.fixed64(),
  sfixed32: (input) => input.sfixed32(),
  sfixed64: (input) => input.fixed64(),
  bool: (input) => input.bool(),
  string: (input) => input.string(),
  bytes: (input) => input.sized(),
}

export function scalarReader(type: ScalarType): (input: ProtoInput) => unknown {
  return scalarReaders[type]
}

export function zeroOf(type: ScalarType): unknown {
  if (type === 'string') return ''
  if (type === 'bytes') return noBytes
  return type === 'bool' ? false : 0
}

/** `default` of proto2. */
function defaultOf(type: ScalarType, text: string): unknown {
  switch (scalarSchemas[type]) {
    case 'string':
      return text
    case 'bytes':
      return Buffer.from(text, 'latin1')
    case 'boolean':
      return text === 'true'
    case 'int64': {
      const wide = BigInt.asIntN(64, text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text))
      return Number.isSafeInteger(Number(wide)) ? Number(wide) : wide
    }
    default:
      return text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number(text)
  }
}
