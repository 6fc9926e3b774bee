/**
 * Turns the declaration of a message into a function that decodes one version of it.
 *
 * Generated source rather than a walk over the declaration, because Produce, Fetch and Metadata are on the way of every
 * record: walking cost ten times as much (bench/protocol/codec.ts: 311 µs against 29 µs for Metadata of 288 partitions). The source is made of declarations in this
 * folder alone; nothing that comes over the wire gets into it.
 */
import type { Field, Fields, Message } from './message.ts'
import { isPresent, isTagged } from './message.ts'
import type { Reader } from './primitives.ts'

export type Decoder = (reader: Reader) => unknown

/** What a field that the version lacks is decoded to, as source. Arrays and structs are fresh each time. */
function defaultSource(field: Field): string {
  if (field.default === null) return 'null'
  switch (field.type) {
    case 'array':
      return '[]'
    case 'struct':
      return `{ ${membersOf(field.fields!, (_, member) => defaultSource(member))} }`
    case 'bytes':
      return 'EMPTY'
    default:
      return JSON.stringify(field.default)
  }
}

function membersOf(fields: Fields, source: (name: string, field: Field) => string): string {
  return Object.entries(fields)
    .map(([name, field]) => `${name}: ${source(name, field)}`)
    .join(', ')
}

/** The fewest bytes that a value takes, to bound the length of arrays by the bytes that are there. */
function leastBytes(field: Field, version: number, flexible: boolean): number {
  switch (field.type) {
    case 'boolean':
    case 'int8':
      return 1
    case 'int16':
      return 2
    case 'int32':
      return 4
    case 'int64':
    case 'float64':
      return 8
    case 'uuid':
      return 16
    case 'string':
      return flexible ? 1 : 2
    case 'bytes':
    case 'records':
    case 'array':
      return flexible ? 1 : 4
    case 'struct': {
      if (version >= field.nullableFrom) return 1
      const ordinary = Object.values(field.fields!).filter((member) => isPresent(member, version) && !isTagged(member))
      return ordinary.reduce((sum, member) => sum + leastBytes(member, version, flexible), flexible ? 1 : 0)
    }
  }
}

class DecoderSource {
  readonly functions: string[] = []
  private readonly version: number
  private readonly flexible: boolean

  constructor(version: number, flexible: boolean) {
    this.version = version
    this.flexible = flexible
  }

  /** Adds a function that decodes a struct, and returns its name. */
  struct(fields: Fields): string {
    const tagged = Object.entries(fields).filter(([, field]) => isTagged(field) && isPresent(field, this.version))
    const lines: string[] = []
    for (const [name, field] of Object.entries(fields)) {
      if (isPresent(field, this.version) && !isTagged(field)) lines.push(`const $${name} = ${this.value(field)}`)
    }
    for (const [name, field] of tagged) lines.push(`let $${name} = ${defaultSource(field)}`)
    if (this.flexible) lines.push(tagged.length === 0 ? 'r.skipTaggedFields()' : this.taggedFields(tagged))
    const members = membersOf(fields, (name, field) =>
      isPresent(field, this.version) ? `$${name}` : defaultSource(field),
    )
    return this.add([...lines, `return { ${members} }`].join('\n'))
  }

  private taggedFields(tagged: [string, Field][]): string {
    const cases = tagged.map(([name, field]) => `case ${field.tag}: $${name} = ${this.value(field)}; break`)
    return `for (let left = r.unsignedVarint(); left > 0; left--) {
      const tag = r.unsignedVarint()
      const end = r.taggedEnd()
      switch (tag) {
        ${cases.join('\n')}
        default: r.offset = end
      }
      r.expectAt(end)
    }`
  }

  private value(field: Field): string {
    const nullable = this.version >= field.nullableFrom
    switch (field.type) {
      case 'string':
        return `r.${this.method('String', nullable)}()`
      case 'bytes':
      case 'records':
        return `r.${this.method('Bytes', nullable)}()`
      case 'array':
        return `${this.array(field.item!, nullable)}(r)`
      case 'struct': {
        const decode = `${this.struct(field.fields!)}(r)`
        return nullable ? `(r.int8() < 0 ? null : ${decode})` : decode
      }
      default:
        return `r.${field.type}()`
    }
  }

  private method(type: string, nullable: boolean): string {
    const name = (nullable ? 'Nullable' : '') + (this.flexible ? 'Compact' : '') + type
    return name.charAt(0).toLowerCase() + name.slice(1)
  }

  private array(item: Field, nullable: boolean): string {
    const least = leastBytes(item, this.version, this.flexible)
    const length = this.flexible ? 'r.unsignedVarint() - 1' : 'r.int32()'
    return this.add(`const length = ${length}
      if (length < 0) return r.noArray(length, ${nullable})
      r.expectElements(length, ${least})
      const values = []
      for (let i = 0; i < length; i++) values.push(${this.value(item)})
      return values`)
  }

  private add(body: string): string {
    const name = `f${this.functions.length}`
    this.functions.push(`function ${name}(r) {\n${body}\n}`)
    return name
  }
}

const EMPTY = Buffer.alloc(0)

export function compileDecoder(message: Message, version: number): Decoder {
  const source = new DecoderSource(version, version >= message.flexible)
  const main = source.struct(message.fields)
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- of our own declarations, see above
  const make = new Function('EMPTY', `'use strict'\n${source.functions.join('\n')}\nreturn ${main}`) as (
    empty: Buffer,
  ) => Decoder
  return make(EMPTY)
}
