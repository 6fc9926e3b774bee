/** Bodies of requests, read from JSON: what has the wrong shape is refused, what nobody knows is passed over. */
import { schemaTypes, type CompatibilityPolicy, type SchemaType } from '../schemas/schema-format.ts'
import { errors, RegistryError } from './registry-error.ts'
import {
  ruleLists,
  sortedByName,
  type Metadata,
  type Rule,
  type RuleSet,
  type SchemaReference,
} from './schema-entity.ts'

/** As it came: nothing of it needs to be given. */
export interface SchemaRequest {
  readonly schema?: string | undefined
  readonly schemaType: SchemaType
  readonly references: readonly SchemaReference[]
  readonly metadata?: Metadata | undefined
  readonly ruleSet?: RuleSet | undefined
  /** -1: not given. */
  readonly id: number
  /** 0: not given; -1: the latest. */
  readonly version: number
}

/** What is given is set, what is given as null is taken back, what is not given stays. */
export interface ConfigRequest {
  readonly alias?: string | null
  readonly aliasForDeks?: string | null
  readonly normalize?: boolean | null
  readonly validateFields?: boolean | null
  readonly validateNewSchemas?: boolean | null
  readonly validateRules?: boolean | null
  readonly compatibilityLevel?: CompatibilityLevel | null
  readonly compatibilityPolicy?: ConfigPolicy | null
  readonly compatibilityGroup?: string | null
  readonly defaultMetadata?: Metadata | null
  readonly overrideMetadata?: Metadata | null
  readonly defaultRuleSet?: RuleSet | null
  readonly overrideRuleSet?: RuleSet | null
}

export const compatibilityLevels = [
  'NONE',
  'BACKWARD',
  'BACKWARD_TRANSITIVE',
  'FORWARD',
  'FORWARD_TRANSITIVE',
  'FULL',
  'FULL_TRANSITIVE',
] as const
export type CompatibilityLevel = (typeof compatibilityLevels)[number]

const policies = ['STRICT', 'LENIENT', 'LOGICAL'] as const
/** LOGICAL asks for checks beyond those of the format, which there are none of here: it counts as STRICT. */
export type ConfigPolicy = CompatibilityPolicy | 'LOGICAL'

export const modes = ['READWRITE', 'READONLY', 'READONLY_OVERRIDE', 'IMPORT', 'FORWARD'] as const
export type Mode = (typeof modes)[number]

type Fields = Readonly<Record<string, unknown>>

/** @throws RegistryError */
export function readSchemaRequest(body: unknown): SchemaRequest {
  const fields = objectOf(body, 'The body')
  const schemaType = optional(fields['schemaType'], textAt('schemaType')) ?? 'AVRO'
  if (!isOneOf(schemaTypes, schemaType)) throw errors.invalidSchema(`Invalid schema type ${schemaType}`)
  return {
    schema: optional(fields['schema'], textAt('schema')),
    schemaType,
    references: (optional(fields['references'], listAt('references')) ?? []).map(readReference),
    metadata: optional(fields['metadata'], readMetadata),
    ruleSet: optional(fields['ruleSet'], readRuleSet),
    id: optional(fields['id'], integerAt('id')) ?? -1,
    version: optional(fields['version'], integerAt('version')) ?? 0,
  }
}

/** @throws RegistryError */
export function readConfigRequest(body: unknown): ConfigRequest {
  const fields = objectOf(body, 'The body')
  const read: Record<string, unknown> = {}
  for (const [name, [field, readField]] of Object.entries(configFields)) {
    const value = fields[field]
    if (value !== undefined) read[name] = value === null ? null : readField(value)
  }
  return read
}

/** By name in the store: name in requests, and how it is read. */
const configFields: Readonly<Record<keyof ConfigRequest, readonly [string, (value: unknown) => unknown]>> = {
  alias: ['alias', textAt('alias')],
  aliasForDeks: ['aliasForDeks', textAt('aliasForDeks')],
  normalize: ['normalize', booleanAt('normalize')],
  validateFields: ['validateFields', booleanAt('validateFields')],
  validateNewSchemas: ['validateNewSchemas', booleanAt('validateNewSchemas')],
  validateRules: ['validateRules', booleanAt('validateRules')],
  compatibilityLevel: ['compatibility', readLevel],
  compatibilityPolicy: ['compatibilityPolicy', readPolicy],
  compatibilityGroup: ['compatibilityGroup', textAt('compatibilityGroup')],
  defaultMetadata: ['defaultMetadata', readMetadata],
  overrideMetadata: ['overrideMetadata', readMetadata],
  defaultRuleSet: ['defaultRuleSet', readRuleSet],
  overrideRuleSet: ['overrideRuleSet', readRuleSet],
}

/** @returns null where the mode is to be taken back; @throws RegistryError */
export function readModeRequest(body: unknown): Mode | null {
  const given = optional(objectOf(body, 'The body')['mode'], textAt('mode'))
  if (given === undefined) return null
  const mode = given.toUpperCase()
  if (!isOneOf(modes, mode)) throw errors.invalidMode()
  return mode
}

function readLevel(value: unknown): CompatibilityLevel {
  const level = textAt('compatibility')(value).toUpperCase()
  if (!isOneOf(compatibilityLevels, level)) throw errors.invalidCompatibility()
  return level
}

function readPolicy(value: unknown): ConfigPolicy {
  const policy = textAt('compatibilityPolicy')(value).toUpperCase()
  if (!isOneOf(policies, policy))
    throw errors.invalidBody(`compatibilityPolicy: expected one of ${policies.join(', ')}`)
  return policy
}

function readReference(value: unknown): SchemaReference {
  const fields = objectOf(value, 'references')
  const name = optional(fields['name'], textAt('references: name'))
  const subject = optional(fields['subject'], textAt('references: subject'))
  const version = optional(fields['version'], integerAt('references: version'))
  if (name === undefined || subject === undefined || version === undefined) {
    throw errors.invalidSchema('Invalid reference: name, subject and version are needed')
  }
  return { name, subject, version }
}

export function readMetadata(value: unknown): Metadata {
  const fields = objectOf(value, 'metadata')
  const tags = optional(fields['tags'], mapAt('metadata: tags', setAt('metadata: tags')))
  const properties = optional(fields['properties'], mapAt('metadata: properties', textAt('metadata: properties')))
  const sensitive = optional(fields['sensitive'], setAt('metadata: sensitive'))
  return {
    ...(tags === undefined ? {} : { tags }),
    ...(properties === undefined ? {} : { properties }),
    ...(sensitive === undefined ? {} : { sensitive }),
  }
}

/** @throws RegistryError 42210 where the rules make no sense */
function readRuleSet(value: unknown): RuleSet {
  const ruleSet = parseRuleSet(value)
  checkRules(ruleSet)
  return ruleSet
}

/** Of a record: what it means is not asked. */
export function parseRuleSet(value: unknown): RuleSet {
  const fields = objectOf(value, 'ruleSet')
  const read: Record<string, unknown> = {}
  for (const list of ruleLists) {
    const rules = optional(fields[list], listAt(`ruleSet: ${list}`))
    if (rules !== undefined) read[list] = rules.map(readRule)
  }
  const enableAt = optional(fields['enableAt'], oneOfAt('ruleSet: enableAt', environments))
  return { ...read, ...(enableAt === undefined ? {} : { enableAt }) }
}

const environments = ['ALL', 'CLIENT', 'GATEWAY', 'SERVER', 'NONE'] as const

/** In the order in which they are written. */
const ruleFields: Readonly<Record<keyof Rule, (value: unknown) => unknown>> = {
  name: textAt('rule: name'),
  doc: textAt('rule: doc'),
  kind: oneOfAt('rule: kind', ['TRANSFORM', 'CONDITION']),
  mode: oneOfAt('rule: mode', ['UPGRADE', 'DOWNGRADE', 'UPDOWN', 'WRITE', 'READ', 'WRITEREAD']),
  type: textAt('rule: type'),
  tags: setAt('rule: tags'),
  params: mapAt('rule: params', textAt('rule: params')),
  expr: textAt('rule: expr'),
  onSuccess: textAt('rule: onSuccess'),
  onFailure: textAt('rule: onFailure'),
  disabled: booleanAt('rule: disabled'),
}

function readRule(value: unknown): Rule {
  const fields = objectOf(value, 'ruleSet: a rule')
  const read: Record<string, unknown> = {}
  for (const [name, readField] of Object.entries(ruleFields)) {
    const field = optional(fields[name], readField)
    if (field !== undefined) read[name] = field
  }
  return { ...read, disabled: read['disabled'] === true }
}

const modesOfRules: Readonly<Record<(typeof ruleLists)[number], readonly [readonly string[], string]>> = {
  migrationRules: [['UPGRADE', 'DOWNGRADE', 'UPDOWN'], 'Migration rules can only be UPGRADE, DOWNGRADE, UPDOWN'],
  domainRules: [['WRITE', 'READ', 'WRITEREAD'], 'Domain rules can only be WRITE, READ, WRITEREAD'],
  encodingRules: [['WRITE', 'READ', 'WRITEREAD'], 'Encoding rules can only be WRITE, READ, WRITEREAD'],
}
const MAX_RULE_NAME_LENGTH = 64

function checkRules(ruleSet: RuleSet): void {
  const names = new Set<string>()
  for (const list of ruleLists) {
    const [allowed, message] = modesOfRules[list]
    for (const { name, type, mode, onSuccess, onFailure } of ruleSet[list] ?? []) {
      if (name === undefined || name === '') throw errors.invalidRuleSet('Missing rule name')
      if (names.has(name)) throw errors.invalidRuleSet(`Found rule with duplicate name '${name}'`)
      names.add(name)
      if (name.length > MAX_RULE_NAME_LENGTH) throw errors.invalidRuleSet('Rule name too long')
      if (!/^[\p{L}_][\p{L}\p{Nd}_-]*$/u.test(name))
        throw errors.invalidRuleSet(`Illegal character in rule name: ${name}`)
      if (type === undefined) throw errors.invalidRuleSet('Missing rule type')
      if (mode === undefined || !allowed.includes(mode)) throw errors.invalidRuleSet(message)
      const several = onSuccess?.includes(',') === true || onFailure?.includes(',') === true
      if (several && mode !== 'WRITEREAD' && mode !== 'UPDOWN') {
        throw errors.invalidRuleSet('Multiple actions only valid with WRITEREAD and UPDOWN')
      }
    }
  }
}

function isOneOf<T extends string>(known: readonly T[], text: string): text is T {
  return (known as readonly string[]).includes(text)
}

/** Null is as good as left out. */
export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value)
}

function wrongShape(where: string, expected: string): RegistryError {
  return new RegistryError(400, 400, `${where}: expected ${expected}`)
}

export function objectOf(value: unknown, where: string): Fields {
  if (value === undefined || value === null) throw errors.invalidBody(`${where} may not be null`)
  if (typeof value !== 'object' || Array.isArray(value)) throw wrongShape(where, 'an object')
  return value as Fields
}

export function textAt(where: string): (value: unknown) => string {
  return (value) => {
    if (typeof value === 'string') return value
    // As Jackson takes them.
    if (typeof value === 'number' || typeof value === 'boolean') return String(value)
    throw wrongShape(where, 'text')
  }
}

function oneOfAt(where: string, known: readonly string[]): (value: unknown) => string {
  return (value) => {
    const text = textAt(where)(value)
    if (!known.includes(text)) throw wrongShape(where, `one of ${known.join(', ')}`)
    return text
  }
}

export function integerAt(where: string): (value: unknown) => number {
  return (value) => {
    const number = typeof value === 'string' && /^-?\d{1,10}$/.test(value) ? Number(value) : value
    if (typeof number !== 'number' || (number | 0) !== number) throw wrongShape(where, 'a whole number below 2^31')
    return number
  }
}

export function booleanAt(where: string): (value: unknown) => boolean {
  return (value) => {
    if (typeof value === 'boolean') return value
    if (value === 'true' || value === 'false') return value === 'true'
    throw wrongShape(where, 'true or false')
  }
}

export function listAt(where: string): (value: unknown) => readonly unknown[] {
  return (value) => {
    if (!Array.isArray(value)) throw wrongShape(where, 'a list')
    return value as unknown[]
  }
}

/** Sorted, each once. */
function setAt(where: string): (value: unknown) => readonly string[] {
  return (value) => [...new Set(listAt(where)(value).map(textAt(where)))].sort()
}

function mapAt<T>(where: string, read: (value: unknown) => T): (value: unknown) => Readonly<Record<string, T>> {
  return (value) => {
    const given = Object.entries(objectOf(value, where)).filter(([, one]) => one !== null)
    return sortedByName(Object.fromEntries(given.map(([name, one]) => [name, read(one)])))
  }
}
