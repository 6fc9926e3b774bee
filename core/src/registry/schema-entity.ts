/** What the registry keeps of a version of a subject, beside the text: references, metadata, rules. */
import { createHash, type Hash } from 'node:crypto'
import type { SchemaType } from '../schemas/schema-format.ts'

export interface SchemaReference {
  readonly name: string
  readonly subject: string
  /** -1 in a request: the latest. */
  readonly version: number
}

/** Keys and sets are sorted: their order is part of what identifies a schema. */
export interface Metadata {
  readonly tags?: Readonly<Record<string, readonly string[]>>
  readonly properties?: Readonly<Record<string, string>>
  readonly sensitive?: readonly string[]
}

export interface Rule {
  readonly name?: string
  readonly doc?: string
  readonly kind?: string
  readonly mode?: string
  readonly type?: string
  readonly tags?: readonly string[]
  readonly params?: Readonly<Record<string, string>>
  readonly expr?: string
  readonly onSuccess?: string
  readonly onFailure?: string
  readonly disabled?: boolean
}

/** Kept and given back; nothing here carries rules out: that is for serializers. */
export interface RuleSet {
  readonly migrationRules?: readonly Rule[]
  readonly domainRules?: readonly Rule[]
  readonly encodingRules?: readonly Rule[]
  readonly enableAt?: string
}

/** What makes a schema this one and no other. */
export interface SchemaContent {
  readonly schemaType: SchemaType
  readonly references: readonly SchemaReference[]
  readonly metadata?: Metadata | undefined
  readonly ruleSet?: RuleSet | undefined
  readonly schema: string
}

/** A version of a subject. */
export interface SchemaEntity extends SchemaContent {
  readonly subject: string
  readonly version: number
  readonly id: number
  /** Of the content, as a UUID. */
  readonly guid: string
  readonly deleted: boolean
  /** When it was written, in ms since the epoch. */
  readonly timestamp?: number | undefined
}

/** The name of the metadata property that holds the number of the version, where it is asked for. */
export const versionProperty = 'confluent:version'

/** MD5 over the content in the order and the form that the Confluent registry takes it, written as a UUID. */
export function contentGuid({ schema, references, metadata, ruleSet }: Omit<SchemaContent, 'schemaType'>): string {
  const hash = createHash('md5').update(schema)
  for (const { name, subject, version } of references) {
    const number = Buffer.alloc(4)
    number.writeInt32BE(version)
    hash.update(name).update(subject).update(number)
  }
  if (metadata !== undefined) hashMetadata(hash.update(present), metadata)
  if (ruleSet !== undefined) hashRuleSet(hash.update(present), ruleSet)
  return asUuid(hash.digest('hex'))
}

/** Tells a thing that is empty from one that is not there. */
const present = Buffer.of(1)

function hashMetadata(hash: Hash, { tags = {}, properties = {}, sensitive = [] }: Metadata): void {
  for (const [name, values] of Object.entries(tags)) {
    hash.update(name)
    for (const value of values) hash.update(value)
  }
  for (const [name, value] of Object.entries(properties)) hash.update(name).update(value)
  for (const name of sensitive) hash.update(name)
}

function hashRuleSet(hash: Hash, ruleSet: RuleSet): void {
  for (const list of ruleLists) for (const rule of ruleSet[list] ?? []) hashRule(hash, rule)
  hash.update(ruleSet.enableAt ?? '')
}

function hashRule(hash: Hash, rule: Rule): void {
  for (const part of [rule.name, rule.doc, rule.kind, rule.mode, rule.type]) hash.update(part ?? '')
  for (const tag of rule.tags ?? []) hash.update(tag)
  for (const [name, value] of Object.entries(rule.params ?? {})) hash.update(name).update(value)
  for (const part of [rule.expr, rule.onSuccess, rule.onFailure]) hash.update(part ?? '')
  if (rule.disabled === true) hash.update(present)
}

export const ruleLists = ['migrationRules', 'domainRules', 'encodingRules'] as const

/** @param hex 16 bytes */
export function asUuid(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** What the newer says wins; what only one says stays. */
export function mergeMetadata(older: Metadata | undefined, newer: Metadata | undefined): Metadata | undefined {
  if (older === undefined || newer === undefined) return newer ?? older
  const sensitive = [...new Set([...(older.sensitive ?? []), ...(newer.sensitive ?? [])])].sort()
  return {
    ...mergedPart('tags', older.tags, newer.tags),
    ...mergedPart('properties', older.properties, newer.properties),
    ...(sensitive.length === 0 ? {} : { sensitive }),
  }
}

function mergedPart<N extends string, T>(
  name: N,
  older: Readonly<Record<string, T>> | undefined,
  newer: Readonly<Record<string, T>> | undefined,
): Partial<Record<N, Readonly<Record<string, T>>>> {
  if (older === undefined && newer === undefined) return {}
  return { [name]: sortedByName({ ...older, ...newer }) } as Record<N, Readonly<Record<string, T>>>
}

/** Rules of the newer replace those of the same name. */
export function mergeRuleSets(older: RuleSet | undefined, newer: RuleSet | undefined): RuleSet | undefined {
  if (older === undefined || newer === undefined) return newer ?? older
  const merged: Record<string, unknown> = {}
  for (const list of ruleLists) {
    const replaced = new Set((newer[list] ?? []).map(({ name }) => name))
    const rules = [...(older[list] ?? []).filter(({ name }) => !replaced.has(name)), ...(newer[list] ?? [])]
    if (rules.length > 0) merged[list] = rules
  }
  const enableAt = newer.enableAt ?? older.enableAt
  return { ...merged, ...(enableAt === undefined ? {} : { enableAt }) }
}

export function withVersionProperty(metadata: Metadata | undefined, version: number): Metadata {
  return mergeMetadata(metadata, { properties: { [versionProperty]: String(version) } })!
}

export function withoutVersionProperty(metadata: Metadata | undefined): Metadata | undefined {
  if (metadata?.properties?.[versionProperty] === undefined) return metadata
  const others = Object.entries(metadata.properties).filter(([name]) => name !== versionProperty)
  return { ...metadata, properties: Object.fromEntries(others) }
}

/** By UTF-16 code units, as Java sorts. */
export function sortedByName<T>(given: Readonly<Record<string, T>>): Record<string, T> {
  // No prototype: a property may be named __proto__.
  const sorted = Object.create(null) as Record<string, T>
  for (const name of Object.keys(given).sort()) sorted[name] = given[name]!
  return sorted
}
