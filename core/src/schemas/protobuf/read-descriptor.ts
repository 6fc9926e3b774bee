/** The tree of a FileDescriptorProto, the inverse of file-descriptor.ts. */
import { InvalidSchemaError } from '../schema-format.ts'
import { decodeOptions, type OptionsOf } from './descriptor-options.ts'
import { fieldLabels, fieldTypes } from './file-descriptor.ts'
import { ProtoScope, type ProtoImport } from './proto-scope.ts'
import {
  maxFieldNumber,
  type ProtoEnum,
  type ProtoExtend,
  type ProtoField,
  type ProtoFile,
  type ProtoLabel,
  type ProtoMessage,
  type ProtoOption,
  type ProtoRange,
  type ProtoReserved,
  type ProtoService,
} from './proto-tree.ts'
import { wellKnownScope } from './well-known.ts'
import { readFields } from './wire.ts'

const maxDepth = 64

/**
 * @param imports where custom options may be declared, beside the file itself
 * @throws InvalidSchemaError where the bytes are no descriptor
 */
export function readFileDescriptor(bytes: Buffer, imports: Iterable<ProtoImport>): ProtoFile {
  try {
    const withoutOptions = new DescriptorReader(undefined).file(bytes)
    return new DescriptorReader(new ProtoScope(withoutOptions, imports, wellKnownScope())).file(bytes)
  } catch (error) {
    if (error instanceof RangeError) throw new InvalidSchemaError(`Could not parse Protobuf: ${error.message}`)
    throw error
  }
}

/** The fields of a message by their numbers. */
class Fields {
  readonly #fields = new Map<number, (bigint | Buffer)[]>()

  constructor(bytes: Buffer) {
    for (const { number, value } of readFields(bytes)) {
      const before = this.#fields.get(number)
      if (before === undefined) this.#fields.set(number, [value])
      else before.push(value)
    }
  }

  all(number: number): Buffer[] {
    return (this.#fields.get(number) ?? []).filter((value) => Buffer.isBuffer(value))
  }

  numbers(number: number): number[] {
    const values = this.#fields.get(number) ?? []
    return values.filter((value) => typeof value === 'bigint').map((value) => Number(BigInt.asIntN(32, value)))
  }

  bytes(number: number): Buffer | undefined {
    return this.all(number).at(-1)
  }

  text(number: number): string | undefined {
    return this.bytes(number)?.toString()
  }

  texts(number: number): string[] {
    return this.all(number).map(String)
  }

  integer(number: number): number | undefined {
    return this.numbers(number).at(-1)
  }

  name(): string {
    const name = this.text(1)
    if (name === undefined || !/^[A-Za-z_][\w.]*$/.test(name)) throw new RangeError('a declaration has no name')
    return name
  }
}

class DescriptorReader {
  readonly #scope: ProtoScope | undefined
  #syntax: 'proto2' | 'proto3' | undefined
  #depth = 0

  constructor(scope: ProtoScope | undefined) {
    this.#scope = scope
  }

  file(bytes: Buffer): ProtoFile {
    const fields = new Fields(bytes)
    const syntax = fields.text(12)
    if (syntax === 'proto2' || syntax === 'proto3') this.#syntax = syntax
    else if (syntax !== undefined && syntax !== '') throw new RangeError(`syntax ${syntax} is not supported`)
    const inPackage = fields.text(2)
    const paths = fields.texts(3)
    const publicAt = new Set(fields.numbers(10))
    const weakAt = new Set(fields.numbers(11))
    return {
      ...(this.#syntax === undefined ? {} : { syntax: this.#syntax }),
      ...(inPackage === undefined || inPackage === '' ? {} : { package: inPackage }),
      imports: paths.filter((_, at) => !publicAt.has(at) && !weakAt.has(at)),
      publicImports: paths.filter((_, at) => publicAt.has(at)),
      types: [...fields.all(4).map((one) => this.#message(one)), ...fields.all(5).map((one) => this.#enum(one))],
      extends: this.#extends(fields.all(7)),
      services: fields.all(6).map((one) => this.#service(one)),
      options: this.#options(fields.bytes(8), 'File'),
    }
  }

  #message(bytes: Buffer): ProtoMessage {
    if (++this.#depth > maxDepth) throw new RangeError('messages are nested too deep')
    const parts = new Fields(bytes)
    const members = parts.all(2).map((one) => this.#member(one))
    const oneofs = parts.all(8).map((one, at) => {
      const oneof = new Fields(one)
      const fields = members.filter(({ oneof: index }) => index === at).map(({ field }) => field)
      return { name: oneof.name(), fields, groups: [], options: this.#options(oneof.bytes(2), 'Oneof') }
    })
    const message: ProtoMessage = {
      kind: 'message',
      name: parts.name(),
      fields: members.filter(({ oneof }) => oneof === undefined).map(({ field }) => field),
      oneofs: oneofs.filter(({ fields }) => fields.length > 0),
      groups: [],
      types: [...parts.all(3).map((one) => this.#message(one)), ...parts.all(4).map((one) => this.#enum(one))],
      reserved: reservedOf(parts, 9, 1),
      extensions: parts.all(5).map((one) => {
        const range = new Fields(one)
        return { ranges: [rangeOf(range, 1)], options: this.#options(range.bytes(3), 'ExtensionRange') }
      }),
      extends: this.#extends(parts.all(6)),
      options: this.#options(parts.bytes(7), 'Message'),
    }
    this.#depth--
    return message
  }

  #member(bytes: Buffer): { field: ProtoField; oneof: number | undefined } {
    const parts = new Fields(bytes)
    const isOptional = parts.integer(17) === 1
    const oneof = isOptional ? undefined : parts.integer(9)
    return { field: this.#field(parts, isOptional, oneof !== undefined), oneof }
  }

  #field(parts: Fields, isOptional: boolean, inOneof: boolean): ProtoField {
    const label = inOneof ? undefined : this.#label(parts.integer(4), isOptional)
    const defaultValue = this.#syntax === 'proto3' ? undefined : parts.text(7)
    const jsonName = parts.text(10)
    return {
      ...(label === undefined ? {} : { label }),
      type: parts.text(6) ?? scalarOf(parts.integer(5)),
      name: parts.name(),
      number: parts.integer(3) ?? 0,
      ...(defaultValue === undefined ? {} : { defaultValue }),
      ...(jsonName === undefined ? {} : { jsonName }),
      options: this.#options(parts.bytes(8), 'Field'),
    }
  }

  #label(label: number | undefined, isOptional: boolean): ProtoLabel | undefined {
    if (isOptional) return 'optional'
    if (label === fieldLabels.repeated) return 'repeated'
    if (this.#syntax === 'proto3') return undefined
    return label === fieldLabels.required ? 'required' : 'optional'
  }

  #enum(bytes: Buffer): ProtoEnum {
    const parts = new Fields(bytes)
    return {
      kind: 'enum',
      name: parts.name(),
      values: parts.all(2).map((one) => {
        const value = new Fields(one)
        return {
          name: value.name(),
          number: value.integer(2) ?? 0,
          options: this.#options(value.bytes(3), 'EnumValue'),
        }
      }),
      reserved: reservedOf(parts, 4, 0),
      options: this.#options(parts.bytes(3), 'Enum'),
    }
  }

  #service(bytes: Buffer): ProtoService {
    const parts = new Fields(bytes)
    return {
      name: parts.name(),
      rpcs: parts.all(2).map((one) => {
        const rpc = new Fields(one)
        return {
          name: rpc.name(),
          requestType: rpc.text(2) ?? '',
          requestStreaming: rpc.integer(5) === 1,
          responseType: rpc.text(3) ?? '',
          responseStreaming: rpc.integer(6) === 1,
          options: this.#options(rpc.bytes(4), 'Method'),
        }
      }),
      options: this.#options(parts.bytes(3), 'Service'),
    }
  }

  #extends(fields: readonly Buffer[]): ProtoExtend[] {
    const byExtendee = Map.groupBy(
      fields.map((one) => new Fields(one)),
      (parts) => parts.text(2) ?? '',
    )
    return [...byExtendee].map(([name, some]) => ({
      name,
      fields: some.map((parts) => this.#field(parts, parts.integer(17) === 1, false)),
    }))
  }

  #options(bytes: Buffer | undefined, of: OptionsOf): ProtoOption[] {
    return this.#scope === undefined ? [] : decodeOptions(bytes, of, this.#scope)
  }
}

function scalarOf(type: number | undefined): string {
  const found = Object.entries(fieldTypes).find(([, number]) => number === type)
  if (found === undefined) throw new RangeError('a field has no type')
  return found[0]
}

/** Ranges as `number`, names as the field after it. @param beyond 1 where a range's end is exclusive */
function reservedOf(parts: Fields, number: number, beyond: 0 | 1): ProtoReserved[] {
  const ranges = parts.all(number).map((one) => ({ values: [rangeOf(new Fields(one), beyond)] }))
  return [...ranges, ...parts.texts(number + 1).map((name) => ({ values: [name] }))]
}

function rangeOf(range: Fields, beyond: 0 | 1): ProtoRange {
  const first = range.integer(1) ?? 0
  const last = Math.min((range.integer(2) ?? 0) - beyond, maxFieldNumber)
  return first === last ? first : { first, last }
}
