/**
 * Whether records of one Avro schema can be read with another: the rules, the kinds of incompatibility and their places are
 * those of Apache Avro's SchemaCompatibility.
 */
import { ComparisonBudget, TooMuchToCompareError } from '../comparison-budget.ts'
import {
  simpleNameOf,
  type AvroEnum,
  type AvroField,
  type AvroFixed,
  type AvroNamed,
  type AvroRecord,
  type AvroSchema,
  type AvroUnion,
} from '@tidewire/sdk/avro'

/** In words of which the first `%s` is the reader's schema, the second the writer's. */
const descriptions = {
  NAME_MISMATCH: 'A type has another name in the %s schema than in the %s schema',
  FIXED_SIZE_MISMATCH: 'A fixed type has another size in the %s schema than in the %s schema',
  MISSING_ENUM_SYMBOLS: 'An enum of the %s schema lacks symbols that it has in the %s schema',
  READER_FIELD_MISSING_DEFAULT_VALUE: 'A field of the %s schema has no default, and the %s schema does not have it',
  TYPE_MISMATCH: 'A type of the %s schema cannot be read from its type in the %s schema',
  MISSING_UNION_BRANCH: 'A union of the %s schema lacks a type of the %s schema',
}

type IncompatibilityType = keyof typeof descriptions

/** @returns one message a reason why it cannot; none: it can */
export function avroIncompatibilities(reader: AvroSchema, writer: AvroSchema): readonly string[] {
  try {
    return [...new Comparison().compare(reader, writer, [])]
  } catch (error) {
    if (!(error instanceof TooMuchToCompareError)) throw error
    return [tooMuch]
  }
}

type Path = readonly (string | number)[]

const none: ReadonlySet<string> = new Set()

const tooMuch =
  'The %s schema and the %s schema have too many types, or have them too deep in each other, to be compared'

const promotions: Readonly<Record<string, readonly string[]>> = {
  long: ['int'],
  float: ['int', 'long'],
  double: ['int', 'long', 'float'],
  bytes: ['string'],
  string: ['bytes'],
}

/** How deep types may be inside of types: names make schemas deeper than their texts. */
const maxDepth = 250

class Comparison {
  #depth = 0
  readonly #budget = new ComparisonBudget()
  /** What was found for a pair of types, wherever it comes again; a pair that is being compared counts as compatible. */
  readonly #results = new Map<AvroSchema, Map<AvroSchema, ReadonlySet<string>>>()

  compare(reader: AvroSchema, writer: AvroSchema, path: Path): ReadonlySet<string> {
    const ofReader = this.#results.get(reader) ?? new Map<AvroSchema, ReadonlySet<string>>()
    this.#results.set(reader, ofReader)
    const known = ofReader.get(writer)
    this.#budget.spend(known?.size)
    if (known !== undefined) return known
    if (this.#depth > maxDepth) throw new TooMuchToCompareError()
    this.#budget.spend(partsOf(reader) + partsOf(writer))
    this.#depth++
    ofReader.set(writer, none)
    const found = new Set<string>()
    this.#compare(reader, writer, path, found)
    ofReader.set(writer, found)
    this.#depth--
    return found
  }

  #compare(reader: AvroSchema, writer: AvroSchema, path: Path, found: Set<string>): void {
    const add = (inner: AvroSchema, outer: AvroSchema, ...steps: Path) => {
      addSome(found, this.compare(inner, outer, [...path, ...steps]))
    }
    if (reader.type === 'union') this.#readUnion(reader, writer, path, found)
    else if (writer.type === 'union') writer.branches.forEach((branch, at) => add(reader, branch, at))
    else if (reader.type === 'array' && writer.type === 'array') add(reader.items, writer.items, 'items')
    else if (reader.type === 'map' && writer.type === 'map') add(reader.values, writer.values, 'values')
    else if (reader.type === 'fixed' && writer.type === 'fixed') compareFixed(reader, writer, path, found)
    else if (reader.type === 'enum' && writer.type === 'enum') compareEnums(reader, writer, path, found)
    else if (reader.type === 'record' && writer.type === 'record') this.#records(reader, writer, path, found)
    else if (reader.type !== writer.type && promotions[reader.type]?.includes(writer.type) !== true) {
      found.add(mismatch(reader, writer, path))
    }
  }

  #readUnion(reader: AvroUnion, writer: AvroSchema, path: Path, found: Set<string>): void {
    const lacks = (type: AvroSchema, at: Path) =>
      found.add(message('MISSING_UNION_BRANCH', at, `reader union lacking writer type: ${shown(type)}`))
    if (writer.type === 'union') {
      writer.branches.forEach((branch, at) => {
        if (this.compare(reader, branch, []).size > 0) lacks(branch, [...path, at])
      })
    } else if (!reader.branches.some((branch) => this.compare(branch, writer, []).size === 0)) {
      lacks(writer, path)
    }
  }

  #records(reader: AvroRecord, writer: AvroRecord, path: Path, found: Set<string>): void {
    compareNames(reader, writer, path, found)
    const written = new Map(writer.fields.map((field) => [field.name, field]))
    reader.fields.forEach((field, at) => {
      const place = [...path, 'fields', at]
      const fields = [field.name, ...field.aliases].map((name) => written.get(name)).filter((one) => one !== undefined)
      const other = fields[0]
      if (fields.length > 1) found.add(ambiguous(field, writer))
      else if (other !== undefined) this.#field(field.schema, other.schema, place, found)
      else if (field.default !== undefined) return
      else if (field.schema.type === 'enum' && field.schema.default !== undefined) {
        // An enum's own default does not help; the reference says so in this way.
        this.#field(field.schema, writer, place, found)
      } else {
        found.add(message('READER_FIELD_MISSING_DEFAULT_VALUE', place, field.name))
      }
    })
  }

  #field(reader: AvroSchema, writer: AvroSchema, place: Path, found: Set<string>): void {
    addSome(found, this.compare(reader, writer, [...place, 'type']))
  }
}

/** How many parts of it are looked at one by one, other than by comparing them. */
function partsOf(schema: AvroSchema): number {
  if (schema.type === 'record') return schema.fields.length + schema.aliases.length
  return schema.type === 'enum' ? schema.symbols.length : 0
}

/** Of one pair of types; who has so many wants to know no more. */
const maxMessages = 200

function addSome(found: Set<string>, more: ReadonlySet<string>): void {
  for (const message of more) if (found.size < maxMessages) found.add(message)
}

function compareNames(reader: AvroNamed, writer: AvroNamed, path: Path, found: Set<string>): void {
  if (simpleNameOf(reader.name) === simpleNameOf(writer.name) || reader.aliases.includes(writer.name)) return
  found.add(message('NAME_MISMATCH', [...path, 'name'], `expected: ${writer.name}`))
}

function compareFixed(reader: AvroFixed, writer: AvroFixed, path: Path, found: Set<string>): void {
  compareNames(reader, writer, path, found)
  if (reader.size === writer.size) return
  found.add(message('FIXED_SIZE_MISMATCH', [...path, 'size'], `expected: ${writer.size}, found: ${reader.size}`))
}

function compareEnums(reader: AvroEnum, writer: AvroEnum, path: Path, found: Set<string>): void {
  compareNames(reader, writer, path, found)
  if (reader.default !== undefined) return
  const known = new Set(reader.symbols)
  const missing = writer.symbols.filter((symbol) => !known.has(symbol)).sort()
  if (missing.length > 0) found.add(message('MISSING_ENUM_SYMBOLS', [...path, 'symbols'], `[${missing.join(', ')}]`))
}

function mismatch(reader: AvroSchema, writer: AvroSchema, path: Path): string {
  const info = `reader type: ${shown(reader)} not compatible with writer type: ${shown(writer)}`
  return message('TYPE_MISMATCH', path, info)
}

function ambiguous(field: AvroField, writer: AvroRecord): string {
  return `Field ${field.name} of the %s schema has several fields of record ${writer.name} of the %s schema for its name and aliases`
}

function shown({ type }: AvroSchema): string {
  return type.toUpperCase()
}

function message(type: IncompatibilityType, path: Path, info: string): string {
  const place = `/${path.join('/')}`
  return `{errorType:'${type}', description:'${descriptions[type]} (path ${place})', additionalInfo:'${info}'}`
}
