/**
 * Whether messages of one file can be read with another, by the rules of the Confluent registry: fields are the same by
 * number, messages by name. Fields, oneofs, enums and their constants may come and go and change their names; a message may
 * not go, a field may not change its kind (as kinds are on the wire), what was apart may not become one of a oneof.
 */
import { joined, type DeclaredType, type ProtoScope } from './proto-scope.ts'
import {
  allFields,
  entryTypes,
  isMapEntry,
  isScalar,
  mapTypes,
  type ProtoField,
  type ProtoFile,
  type ProtoLabel,
  type ProtoMessage,
  type ProtoType,
} from './proto-tree.ts'

/** In words of which the first `%s` is the reader's schema, the second the writer's. */
const descriptions = {
  PACKAGE_CHANGED: 'The package of the %s schema is another than that of the %s schema',
  MESSAGE_REMOVED: 'The %s schema lacks a message of the %s schema',
  FIELD_KIND_CHANGED: 'In the %s schema a field is of another kind (scalar, message or map) than in the %s schema',
  FIELD_SCALAR_KIND_CHANGED: 'In the %s schema a field has a type that is not written as its type in the %s schema is',
  FIELD_NAMED_TYPE_CHANGED: 'In the %s schema a field has another message type than in the %s schema',
  FIELD_NUMERIC_LABEL_CHANGED: 'In the %s schema a field of numbers has another label than in the %s schema',
  REQUIRED_FIELD_ADDED: 'The %s schema requires a field that the %s schema does not have',
  REQUIRED_FIELD_REMOVED: 'The %s schema lacks a field that the %s schema requires',
  ONEOF_FIELD_REMOVED: 'The %s schema lacks a field of a oneof of the %s schema',
  MULTIPLE_FIELDS_MOVED_TO_ONEOF: 'The %s schema has fields in a oneof that are apart in the %s schema',
  FIELD_MOVED_TO_EXISTING_ONEOF: 'The %s schema has a field in a oneof that is not with the others in the %s schema',
}

export type ProtoDifference = keyof typeof descriptions

export interface ProtoSide {
  readonly file: ProtoFile
  readonly scope: ProtoScope
}

/** @returns one message a reason why it cannot; none: it can */
export function protoIncompatibilities(reader: ProtoSide, writer: ProtoSide): readonly string[] {
  return new Comparison(reader, writer).run()
}

/** Where both sides are: a path of names for messages, and full names to resolve types from. */
interface Place {
  readonly path: readonly string[]
  readonly reader: string
  readonly writer: string
}

/** How deep imported messages may be inside of each other. */
const maxDepth = 500

const tooDeep = 'The messages of the %s schema and the %s schema lie too deep in each other to be compared'

class Comparison {
  readonly #reader: ProtoSide
  readonly #writer: ProtoSide
  readonly #found = new Set<string>()
  /** Pairs of imported messages that have been compared, or are being: whether what was found lies in them. */
  readonly #imported = new Map<string, boolean>()
  #depth = 0

  constructor(reader: ProtoSide, writer: ProtoSide) {
    this.#reader = reader
    this.#writer = writer
  }

  run(): readonly string[] {
    const reader = this.#reader.file
    const writer = this.#writer.file
    if (reader.package !== writer.package) this.#add('PACKAGE_CHANGED', [])
    this.#types(writer.types, reader.types, { path: [], reader: reader.package ?? '', writer: writer.package ?? '' })
    return [...this.#found]
  }

  #add(type: ProtoDifference, path: readonly (string | number)[]): void {
    this.#found.add(`{errorType:'${type}', description:'${descriptions[type]} (path #/${path.join('/')})'}`)
  }

  #types(written: readonly ProtoType[], read: readonly ProtoType[], place: Place): void {
    const readMessages = new Map(read.filter((type) => type.kind === 'message').map((type) => [type.name, type]))
    for (const message of written) {
      if (message.kind === 'enum') continue
      const inner = inside(place, message.name)
      const other = readMessages.get(message.name)
      if (other !== undefined) this.#message(message, other, inner)
      else if (!isMapEntry(message)) this.#add('MESSAGE_REMOVED', inner.path)
    }
  }

  #message(written: ProtoMessage, read: ProtoMessage, place: Place): void {
    const before = new Members(written)
    const after = new Members(read)
    this.#exclusivity(before, read, place)
    for (const number of [...new Set([...before.fields.keys(), ...after.fields.keys()])].sort((a, b) => a - b)) {
      this.#member(number, before, after, place)
    }
    this.#types(written.types, read.types, place)
  }

  #member(number: number, before: Members, after: Members, { path, ...place }: Place): void {
    const written = before.fields.get(number)
    const read = after.fields.get(number)
    const oneofBefore = before.oneofs.get(number)
    if (written === undefined) {
      if (read?.label === 'required' && !after.oneofs.has(number)) this.#add('REQUIRED_FIELD_ADDED', [...path, number])
    } else if (read === undefined) {
      if (oneofBefore === undefined) {
        if (written.label === 'required') this.#add('REQUIRED_FIELD_REMOVED', [...path, number])
      } else if (!isGone(oneofBefore, before, after)) {
        this.#add('ONEOF_FIELD_REMOVED', [...path, oneofBefore, number])
      }
    } else {
      const oneof = after.oneofs.get(number)
      const fieldPath = [...path, ...(oneof === undefined ? [] : [oneof]), String(number)]
      this.#fieldTypes(written.type, written.label, read.type, read.label, { ...place, path: fieldPath })
    }
  }

  /** Fields that were apart (each by itself, or in other oneofs) cannot be in one oneof: records may have both. */
  #exclusivity(before: Members, read: ProtoMessage, { path }: Place): void {
    for (const { name, fields } of read.oneofs) {
      const origins = new Set<string>()
      let apart = 0
      for (const { number } of fields) {
        const oneof = before.oneofs.get(number)
        if (oneof !== undefined) origins.add(oneof)
        else if (before.fields.has(number)) origins.add(`#${number}`)
        if (oneof === undefined && before.fields.has(number)) apart++
      }
      if (origins.size < 2) continue
      this.#add(apart > 1 ? 'MULTIPLE_FIELDS_MOVED_TO_ONEOF' : 'FIELD_MOVED_TO_EXISTING_ONEOF', [...path, name])
    }
  }

  #fieldTypes(
    written: string,
    writtenLabel: ProtoLabel | undefined,
    read: string,
    readLabel: ProtoLabel | undefined,
    place: Place,
  ): void {
    const before = typeIn(this.#writer.scope, written, place.writer)
    const after = typeIn(this.#reader.scope, read, place.reader)
    if (before.kind === 'map' && after.kind === 'map') {
      this.#fieldTypes(before.key, undefined, after.key, undefined, place)
      this.#fieldTypes(before.value, undefined, after.value, undefined, place)
    } else if (before.kind === 'scalar' && after.kind === 'scalar') {
      if (before.onWire !== after.onWire) this.#add('FIELD_SCALAR_KIND_CHANGED', place.path)
      else if (
        before.onWire !== 'text' &&
        writtenLabel !== undefined &&
        readLabel !== undefined &&
        writtenLabel !== readLabel
      ) {
        this.#add('FIELD_NUMERIC_LABEL_CHANGED', place.path)
      }
    } else if (before.kind === 'message' && after.kind === 'message') {
      this.#messageTypes(before, after, place.path)
    } else {
      this.#add('FIELD_KIND_CHANGED', place.path)
    }
  }

  #messageTypes(before: MessageType, after: MessageType, path: readonly string[]): void {
    const written = before.declared
    const read = after.declared
    if (written === undefined || read === undefined) {
      if (before.name !== after.name) this.#add('FIELD_NAMED_TYPE_CHANGED', path)
    } else if (written.localName !== read.localName || this.#isChanged(written, read)) {
      this.#add('FIELD_NAMED_TYPE_CHANGED', path)
    }
  }

  /** Types of the files themselves are compared where they are declared; imported ones here, unless both are the same version. */
  #isChanged(written: DeclaredType, read: DeclaredType): boolean {
    const from = written.importedFrom
    const to = read.importedFrom
    if (from === undefined && to === undefined) return false
    if (from?.file === to?.file) return false
    const [source, target] = [from?.source, to?.source]
    if (source !== undefined && source.subject === target?.subject && source.version === target.version) return false
    if (written.type.kind === 'enum' || read.type.kind === 'enum') return written.type.kind !== read.type.kind
    const pair = `${written.fullName} ${read.fullName}`
    const known = this.#imported.get(pair)
    if (known !== undefined) return known
    this.#imported.set(pair, false)
    if (this.#depth > maxDepth) {
      this.#found.add(tooDeep)
      return true
    }
    this.#depth++
    const count = this.#found.size
    this.#message(written.type, read.type, {
      path: written.localName.split('.'),
      reader: read.fullName,
      writer: written.fullName,
    })
    this.#depth--
    const isChanged = this.#found.size > count
    this.#imported.set(pair, isChanged)
    return isChanged
  }
}

function inside({ path, reader, writer }: Place, name: string): Place {
  return { path: [...path, name], reader: joined(reader, name), writer: joined(writer, name) }
}

/** A message's fields by their numbers, and by number the oneof that a field is in. */
class Members {
  readonly fields: ReadonlyMap<number, ProtoField>
  readonly oneofs: ReadonlyMap<number, string>
  readonly oneofNames: ReadonlySet<string>

  constructor(message: ProtoMessage) {
    this.fields = new Map(allFields(message).map((field) => [field.number, field]))
    this.oneofs = new Map(message.oneofs.flatMap(({ name, fields }) => fields.map((field) => [field.number, name])))
    this.oneofNames = new Set(message.oneofs.map(({ name }) => name))
  }
}

/** A oneof may go as a whole. */
function isGone(oneof: string, before: Members, after: Members): boolean {
  if (after.oneofNames.has(oneof)) return false
  return ![...before.oneofs].some(([number, name]) => name === oneof && after.fields.has(number))
}

interface MessageType {
  readonly kind: 'message'
  readonly name: string
  readonly declared: DeclaredType | undefined
}

type FieldType =
  | { readonly kind: 'scalar'; readonly onWire: string }
  | { readonly kind: 'map'; readonly key: string; readonly value: string }
  | MessageType

/** Scalars of one group can be read as each other: https://protobuf.dev/programming-guides/proto3/#updating */
const wireGroups: Readonly<Record<string, string>> = {
  int32: 'varint',
  int64: 'varint',
  uint32: 'varint',
  uint64: 'varint',
  bool: 'varint',
  sint32: 'zigzag',
  sint64: 'zigzag',
  string: 'text',
  bytes: 'text',
  fixed32: 'fixed32',
  sfixed32: 'fixed32',
  fixed64: 'fixed64',
  sfixed64: 'fixed64',
  float: 'float',
  double: 'double',
}

function typeIn(scope: ProtoScope, name: string, within: string): FieldType {
  const map = mapTypes(name)
  if (map !== undefined) return { kind: 'map', ...map }
  if (isScalar(name)) return { kind: 'scalar', onWire: wireGroups[name] ?? name }
  const declared = scope.resolve(name, within)
  if (declared?.type.kind === 'enum') return { kind: 'scalar', onWire: 'varint' }
  if (declared?.mapEntry !== undefined) return { kind: 'map', ...entryTypes(declared.mapEntry) }
  return { kind: 'message', name, declared }
}
