import type { ParsedSchema, ResolvedReference, SchemaFormat } from '../schema-format.ts'
import { protoIncompatibilities } from './compatibility.ts'
import { fileDescriptor } from './file-descriptor.ts'
import { parseProto } from './parse-proto.ts'
import { printProto } from './print-proto.ts'
import { ProtoScope, type ProtoImport } from './proto-scope.ts'
import type { ProtoFile, ProtoOption, ProtoType } from './proto-tree.ts'
import { readFileDescriptor } from './read-descriptor.ts'
import { wellKnownScope } from './well-known.ts'

/** A Protobuf schema, with its tree for who converts records by it. */
export interface ParsedProto extends ParsedSchema {
  readonly file: ProtoFile
  /** What names in the file mean. */
  readonly scope: ProtoScope
  /** The references, by the paths of their imports. */
  readonly imports: ReadonlyMap<string, ProtoImport>
}

export const protobufFormat: SchemaFormat = { type: 'PROTOBUF', parse: parseProtobuf }

/**
 * @param text a .proto file, or a FileDescriptorProto in base64, as some clients register
 * @throws InvalidSchemaError
 */
export function parseProtobuf(text: string, references: readonly ResolvedReference[]): ParsedProto {
  const imports = importsOf(references)
  return new ProtobufSchema(fileOf(text, imports), imports)
}

class ProtobufSchema implements ParsedProto {
  readonly type = 'PROTOBUF'
  readonly file: ProtoFile
  readonly imports: ReadonlyMap<string, ProtoImport>
  readonly scope: ProtoScope
  readonly canonical: string
  readonly #normalized: string

  constructor(file: ProtoFile, imports: ReadonlyMap<string, ProtoImport>) {
    this.file = file
    this.imports = imports
    this.scope = new ProtoScope(file, imports.values(), wellKnownScope())
    this.canonical = printProto(file)
    // Names that mean no type are found out by this.
    this.#normalized = printProto(file, this.scope)
  }

  normalized(): string {
    return this.#normalized
  }

  compatibility(writer: ParsedSchema): readonly string[] {
    if (!(writer instanceof ProtobufSchema)) return ['Incompatible because of different schema type']
    return protoIncompatibilities(this, writer)
  }

  formatted(format: string): string | undefined {
    if (format === 'serialized') return fileDescriptor(this.file, this.scope, 'default').toString('base64')
    if (format === 'ignore_extensions') return printProto(withoutExtensions(this.file))
    return undefined
  }
}

const base64 = /^[A-Za-z0-9+/\s]+=*$/

function fileOf(text: string, imports: ReadonlyMap<string, ProtoImport>): ProtoFile {
  return base64.test(text.trim()) ? readFileDescriptor(Buffer.from(text, 'base64'), imports.values()) : parseProto(text)
}

/** In the order of the references, of which each may import those before it. */
function importsOf(references: readonly ResolvedReference[]): ReadonlyMap<string, ProtoImport> {
  const imports = new Map<string, ProtoImport>()
  for (const { name, subject, version, schema } of references) {
    imports.set(name, { file: fileOf(schema, imports), source: { subject, version } })
  }
  return imports
}

/** Without what extends other messages, and without custom options but those of the registry's own metadata. */
function withoutExtensions(file: ProtoFile): ProtoFile {
  return { ...file, extends: [], options: standard(file.options), types: file.types.map(withoutCustomOptions) }
}

function withoutCustomOptions(type: ProtoType): ProtoType {
  const bare = <T extends { readonly options: readonly ProtoOption[] }>(part: T): T => ({
    ...part,
    options: standard(part.options),
  })
  if (type.kind === 'enum') return { ...bare(type), values: type.values.map(bare) }
  return {
    ...bare(type),
    fields: type.fields.map(bare),
    oneofs: type.oneofs.map((oneof) => ({ ...bare(oneof), fields: oneof.fields.map(bare) })),
    types: type.types.map(withoutCustomOptions),
    extensions: [],
    extends: [],
  }
}

function standard(options: readonly ProtoOption[]): readonly ProtoOption[] {
  return options.filter(({ name, isCustom }) => !isCustom || name.startsWith('confluent'))
}
