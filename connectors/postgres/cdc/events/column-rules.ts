import { hash } from 'node:crypto'
import type { Schema } from '@tidewire/sdk'
import type { TableId } from '../../link/identifier.ts'
import { javaSerialized } from './java-serialized.ts'
import { NamePatterns } from './name-patterns.ts'
import type { SourceType } from './source-type.ts'

/** What becomes of a column's values and of its schema in events. Keys are left as they are. */
export interface ColumnRule {
  /** Added to the schema's. */
  readonly parameters: Readonly<Record<string, string>>
  /** Of the value as its converter made it; of null too. Left out: it stays. */
  readonly apply?: (value: unknown) => unknown
  /** The rule was made for this column and does nothing to it, since only text can be masked. */
  readonly isIdle?: boolean
}

/** A column as rules see it. */
export interface RuledColumn {
  readonly name: string
  readonly type: SourceType
  readonly schema: Schema
}

interface Rule {
  /** Debezium's order: of several rules that cover a column the first one counts, and no other. */
  readonly order: number
  readonly patterns: NamePatterns
  /** Whether the patterns go by the column's type rather than its name. */
  readonly byType: boolean
  readonly of: (column: RuledColumn) => ColumnRule
}

/** One form of setting that makes rules: a name, or names with a part of their own. */
interface RuleForm {
  readonly name: RegExp
  readonly byType?: boolean
  /** @throws TypeError with what is wrong with the name */
  readonly make: (parts: readonly string[]) => (column: RuledColumn) => ColumnRule
}

const forms: readonly RuleForm[] = [
  { name: /^column\.truncate\.to\.(\d+)\.chars$/, make: ([length]) => truncation(Number(length)) },
  { name: /^column\.mask\.with\.(\d+)\.chars$/, make: ([length]) => mask('*'.repeat(Number(length))) },
  { name: /^column\.propagate\.source\.type$/, make: () => propagation },
  { name: /^datatype\.propagate\.source\.type$/, byType: true, make: () => propagation },
  {
    name: /^column\.mask\.hash\.([^.]+)\.with\.salt\.(.+)$/,
    make: ([algorithm, salt]) => hashing(algorithm!, salt!, javaSerialized),
  },
  {
    name: /^column\.mask\.hash\.v2\.([^.]+)\.with\.salt\.(.+)$/,
    make: ([algorithm, salt]) => hashing(algorithm!, salt!, (text) => Buffer.from(text)),
  },
]

/** The column rules of a config: what is masked, hashed, truncated, and told of source types. */
export class ColumnRules {
  readonly #rules: readonly Rule[]

  /**
   * @param settings by their names, such as `column.mask.with.5.chars`; others are passed over
   * @throws TypeError with what is wrong with a setting, which its message begins with
   */
  constructor(settings: Readonly<Record<string, string | undefined>>) {
    this.#rules = Object.entries(settings)
      .flatMap(([name, list]) => (list === undefined ? [] : ruleOf(name, list)))
      .sort((one, other) => one.order - other.order)
  }

  /** The rule that applies to a column, if any. */
  of({ schema, table }: TableId, column: RuledColumn): ColumnRule | undefined {
    const byName = `${schema}.${table}.${column.name}`
    const byType = `${schema}.${table}.${column.type.name}`
    const rule = this.#rules.find(({ patterns, byType: isByType }) => patterns.covers(isByType ? byType : byName))
    return rule?.of(column)
  }
}

function ruleOf(name: string, list: string): Rule[] {
  for (const [order, form] of forms.entries()) {
    const match = form.name.exec(name)
    if (match === null) continue
    try {
      const of = form.make(match.slice(1))
      return [{ order, patterns: new NamePatterns(list), byType: form.byType === true, of }]
    } catch (error) {
      throw new TypeError(`${name}: ${(error as Error).message}`, { cause: error })
    }
  }
  return []
}

function truncation(length: number): (column: RuledColumn) => ColumnRule {
  return ({ type, schema }) => {
    if (type.length >= 0 && type.length <= length) return { parameters: {} }
    const parameters = { truncateLength: String(length) }
    if (schema.type === 'string') return { parameters, apply: (value) => truncated(value, length) }
    const isBinary = schema.type === 'bytes' && schema.name === undefined
    if (isBinary) {
      return { parameters, apply: (value) => (value instanceof Uint8Array ? value.slice(0, length) : value) }
    }
    return { parameters }
  }
}

const truncated = (value: unknown, length: number): unknown =>
  typeof value === 'string' && value.length > length ? value.slice(0, length) : value

const masked = { masked: 'true' }

function mask(text: string): (column: RuledColumn) => ColumnRule {
  return ({ type }) => (type.isText ? { parameters: masked, apply: () => text } : { parameters: masked, isIdle: true })
}

/** @param bytesOf what is hashed of a text, after the salt */
function hashing(
  algorithm: string,
  salt: string,
  bytesOf: (text: string) => Buffer,
): (column: RuledColumn) => ColumnRule {
  const saltBytes = Buffer.from(salt)
  try {
    hash(algorithm, saltBytes)
  } catch (error) {
    throw new TypeError(`${algorithm} is no hash algorithm that is known here, such as SHA-256`, { cause: error })
  }
  return ({ type }) => {
    if (!type.isText) return { parameters: masked, isIdle: true }
    const apply = (value: unknown): unknown => {
      if (typeof value !== 'string') return null
      const digest = hash(algorithm, Buffer.concat([saltBytes, bytesOf(value)]))
      // As long as the column may be at most, so that a replica of the table takes it.
      return type.length > 0 ? truncated(digest, type.length) : digest
    }
    return { parameters: masked, apply }
  }
}

function propagation({ name, type }: RuledColumn): ColumnRule {
  return {
    parameters: {
      '__debezium.source.column.type': type.name.toUpperCase(),
      ...(type.length === -1 ? {} : { '__debezium.source.column.length': String(type.length) }),
      '__debezium.source.column.scale': String(type.scale),
      '__debezium.source.column.name': name,
    },
  }
}
