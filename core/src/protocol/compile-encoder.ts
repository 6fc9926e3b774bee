/** Turns the declaration of a message into a function that encodes one version of it. See compile-decoder.ts. */
import type { Field, Fields, Message } from './message.ts'
import { isPresent, isTagged } from './message.ts'
import { Writer } from './primitives.ts'

export type Encoder = (writer: Writer, value: unknown) => void

/** Kafka leaves a tagged field out when it holds its default. */
function isDefault(field: Field, value: unknown): boolean {
  if (value === undefined || value === field.default) return true
  if (value === null) return false
  if (field.type === 'array') return field.default !== null && (value as readonly unknown[]).length === 0
  if (field.type !== 'struct' || field.default === null) return false
  return Object.entries(field.fields!).every(([name, member]) =>
    isDefault(member, (value as Readonly<Record<string, unknown>>)[name]),
  )
}

/** What stands for a field that the caller left out, as source. */
function defaultSource(field: Field): string {
  if (field.default === null) return 'null'
  if (field.type === 'array') return 'NONE'
  if (field.type === 'bytes') return 'EMPTY'
  // Every member has a default in its turn.
  return field.type === 'struct' ? '{}' : JSON.stringify(field.default)
}

class EncoderSource {
  readonly functions: string[] = []
  /** Fields that the source asks `isDefault` about. */
  readonly asked: Field[] = []
  private readonly version: number
  private readonly flexible: boolean

  constructor(version: number, flexible: boolean) {
    this.version = version
    this.flexible = flexible
  }

  /** Adds a function that encodes a struct, and returns its name. */
  struct(fields: Fields): string {
    const present = Object.entries(fields).filter(([, field]) => isPresent(field, this.version))
    const lines = present
      .filter(([, field]) => !isTagged(field))
      .map(([name, field]) => {
        const given = `$${name}`
        const orDefault = `${given} === undefined ? ${defaultSource(field)} : ${given}`
        return `const ${given} = o.${name}\n${this.value(field, orDefault)}`
      })
    if (this.flexible) lines.push(this.taggedFields(present.filter(([, field]) => isTagged(field))))
    return this.add(lines.join('\n'))
  }

  private taggedFields(tagged: [string, Field][]): string {
    if (tagged.length === 0) return 'w.unsignedVarint(0)'
    const inOrder = tagged.toSorted(([, a], [, b]) => a.tag - b.tag)
    const asked = inOrder.map(([name, field]) => `const has$${name} = !isDefault(F[${this.ask(field)}], o.${name})`)
    const count = inOrder.map(([name]) => `has$${name}`).join(' + ')
    const written = inOrder.map(
      ([name, field]) => `if (has$${name}) {
        const outer = w
        {
          const w = new Writer()
          ${this.value(field, `o.${name}`)}
          outer.tagged(${field.tag}, w)
        }
      }`,
    )
    return [...asked, `w.unsignedVarint(${count})`, ...written].join('\n')
  }

  private ask(field: Field): number {
    return this.asked.push(field) - 1
  }

  /** A statement that writes the value of an expression. */
  private value(field: Field, expression: string): string {
    const nullable = this.version >= field.nullableFrom
    switch (field.type) {
      case 'string':
        return `w.${this.method('String', nullable)}(${expression})`
      case 'bytes':
        return `w.${this.method('Bytes', nullable)}(${expression})`
      case 'records':
        return `w.${this.method('Records', nullable)}(${expression})`
      case 'array':
        return `${this.array(field.item!, nullable)}(w, ${expression})`
      case 'struct':
        return `${nullable ? this.nullableStruct(field.fields!) : this.struct(field.fields!)}(w, ${expression})`
      default:
        return `w.${field.type}(${expression})`
    }
  }

  private method(type: string, nullable: boolean): string {
    const name = (nullable ? 'Nullable' : '') + (this.flexible ? 'Compact' : '') + type
    return name.charAt(0).toLowerCase() + name.slice(1)
  }

  private nullableStruct(fields: Fields): string {
    return this.add(`if (o === null) return w.int8(-1)\nw.int8(1)\n${this.struct(fields)}(w, o)`)
  }

  private array(item: Field, nullable: boolean): string {
    const length = (value: string): string => (this.flexible ? `w.unsignedVarint(${value} + 1)` : `w.int32(${value})`)
    return this.add(`${nullable ? `if (o === null) { ${length('-1')}; return }` : ''}
      ${length('o.length')}
      for (let i = 0; i < o.length; i++) { const e = o[i]; ${this.value(item, 'e')} }`)
  }

  private add(body: string): string {
    const name = `f${this.functions.length}`
    this.functions.push(`function ${name}(w, o) {\n${body}\n}`)
    return name
  }
}

const EMPTY = Buffer.alloc(0)
const NONE: readonly never[] = []

export function compileEncoder(message: Message, version: number): Encoder {
  const source = new EncoderSource(version, version >= message.flexible)
  const main = source.struct(message.fields)
  const code = `'use strict'\n${source.functions.join('\n')}\nreturn ${main}`
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- of our own declarations, see compile-decoder.ts
  const make = new Function('Writer', 'isDefault', 'F', 'EMPTY', 'NONE', code) as (...constants: unknown[]) => Encoder
  return make(Writer, isDefault, source.asked, EMPTY, NONE)
}
