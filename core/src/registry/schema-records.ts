/**
 * The records of the topic `_schemas`, byte for byte as the Confluent registry writes them: one of either kind can go on
 * with the topic of the other. Compaction goes by the key's bytes, hence the fixed order of its properties.
 */
import { schemaTypes, type SchemaType } from '../schemas/schema-format.ts'
import {
  booleanAt,
  compatibilityLevels,
  integerAt,
  listAt,
  modes,
  objectOf,
  optional,
  parseRuleSet,
  readConfigRequest,
  readMetadata,
  textAt,
  type ConfigRequest,
  type Mode,
} from './request-body.ts'
import type { Metadata, RuleSet, SchemaEntity, SchemaReference } from './schema-entity.ts'

export interface LogRecord {
  readonly key: string
  readonly value: string | null
}

/** A version as it stands in a record. */
export type SchemaValue = Omit<SchemaEntity, 'guid' | 'timestamp'> & {
  /** What was stored for it, where something was: of content that is not all in the record (encrypted metadata). */
  readonly md5?: string | undefined
}

/** A config as it is kept: what is not there is not said. */
export type ConfigValue = { readonly [N in keyof ConfigRequest]?: NonNullable<ConfigRequest[N]> }

export type RegistryRecord =
  | { readonly kind: 'SCHEMA'; readonly subject: string; readonly version: number; readonly value: SchemaValue | null }
  | { readonly kind: 'CONFIG'; readonly subject: string | null; readonly value: ConfigValue | null }
  | { readonly kind: 'MODE'; readonly subject: string | null; readonly value: Mode | null }
  | { readonly kind: 'DELETE_SUBJECT'; readonly subject: string; readonly upTo: number }
  | { readonly kind: 'CLEAR_SUBJECT'; readonly subject: string | null }
  | { readonly kind: 'CONTEXT'; readonly context: string; readonly exists: boolean }
  /** Nothing of ours: read and passed over. */
  | { readonly kind: 'OTHER' }

const tenant = 'default'

export function schemaRecord(version: SchemaValue): LogRecord {
  return { key: schemaKey(version.subject, version.version), value: schemaValueText(version) }
}

export function schemaTombstone(subject: string, version: number): LogRecord {
  return { key: schemaKey(subject, version), value: null }
}

export function configRecord(subject: string | null, value: ConfigValue | null): LogRecord {
  const config = value && { ...named(subject), ...inOrder(value) }
  return { key: subjectKey('CONFIG', subject), value: config && JSON.stringify(config) }
}

export function modeRecord(subject: string | null, mode: Mode | null): LogRecord {
  return { key: subjectKey('MODE', subject), value: mode && JSON.stringify({ ...named(subject), mode }) }
}

export function deleteSubjectRecord(subject: string, upTo: number): LogRecord {
  const value = { ...named(subject), version: upTo }
  return { key: subjectKey('DELETE_SUBJECT', subject), value: JSON.stringify(value) }
}

export function clearSubjectRecord(subject: string | null): LogRecord {
  return { key: subjectKey('CLEAR_SUBJECT', subject), value: JSON.stringify(named(subject)) }
}

export function contextRecord(context: string, exists: boolean): LogRecord {
  return {
    key: JSON.stringify({ keytype: 'CONTEXT', tenant, context, magic: 0 }),
    value: exists ? JSON.stringify({ tenant, context }) : null,
  }
}

/** Jackson leaves out what is empty. */
function named(subject: string | null): { subject?: string } {
  return subject === null || subject === '' ? {} : { subject }
}

function schemaKey(subject: string, version: number): string {
  return JSON.stringify({ keytype: 'SCHEMA', ...named(subject), version, magic: 1 })
}

function subjectKey(keytype: string, subject: string | null): string {
  return JSON.stringify({ keytype, ...named(subject), magic: 0 })
}

function schemaValueText(value: SchemaValue): string {
  const { version, id, md5, schemaType, references, metadata, ruleSet, schema, deleted } = value
  return JSON.stringify({
    ...named(value.subject),
    version,
    id,
    md5,
    schemaType,
    ...(references.length === 0 ? {} : { references: references.map(referenceOf) }),
    ...(metadata === undefined ? {} : { metadata: notEmpty(metadata) }),
    ...(ruleSet === undefined ? {} : { ruleSet: notEmpty(ruleSet) }),
    schema,
    deleted,
  })
}

const referenceOf = ({ name, subject, version }: SchemaReference): SchemaReference => ({ name, subject, version })

/** Without the lists and maps that hold nothing. */
function notEmpty(part: Metadata | RuleSet): object {
  const entries = Object.entries(part).filter(
    ([, value]) => typeof value === 'string' || Object.keys(value as object).length > 0,
  )
  return Object.fromEntries(entries)
}

const configOrder = [
  'alias',
  'aliasForDeks',
  'normalize',
  'validateFields',
  'validateNewSchemas',
  'validateRules',
  'compatibilityLevel',
  'compatibilityPolicy',
  'compatibilityGroup',
  'defaultMetadata',
  'overrideMetadata',
  'defaultRuleSet',
  'overrideRuleSet',
] as const satisfies readonly (keyof ConfigRequest)[]

function inOrder(value: ConfigValue): object {
  return Object.fromEntries(
    configOrder.flatMap((name) => (value[name] === undefined || value[name] === '' ? [] : [[name, value[name]]])),
  )
}

/** @throws Error where the key or the value is not what such records are */
export function parseRecord({ key, value }: LogRecord): RegistryRecord {
  const keyFields = objectOf(JSON.parse(key), 'key')
  const subject = optional(keyFields['subject'], textAt('key: subject')) ?? null
  const keytype = textAt('key: keytype')(keyFields['keytype'])
  const parsed = value === null ? null : objectOf(JSON.parse(value), 'value')
  switch (keytype) {
    case 'SCHEMA': {
      const version = integerAt('key: version')(keyFields['version'])
      const schema = parsed && parseSchemaValue(parsed, subject ?? '', version)
      return { kind: 'SCHEMA', subject: subject ?? '', version, value: schema }
    }
    case 'CONFIG':
      return { kind: 'CONFIG', subject, value: parsed && parseConfigValue(parsed) }
    case 'MODE':
      return { kind: 'MODE', subject, value: parsed && parseMode(parsed['mode']) }
    case 'DELETE_SUBJECT': {
      const upTo = parsed === null ? 0 : integerAt('value: version')(parsed['version'])
      return { kind: 'DELETE_SUBJECT', subject: subject ?? '', upTo }
    }
    case 'CLEAR_SUBJECT':
      return parsed === null ? { kind: 'OTHER' } : { kind: 'CLEAR_SUBJECT', subject }
    case 'CONTEXT': {
      const context = textAt('key: context')(keyFields['context'])
      return { kind: 'CONTEXT', context, exists: parsed !== null }
    }
    default:
      return { kind: 'OTHER' }
  }
}

function parseSchemaValue(fields: Readonly<Record<string, unknown>>, subject: string, version: number): SchemaValue {
  return {
    subject,
    version,
    id: integerAt('value: id')(fields['id']),
    md5: optional(fields['md5'], textAt('value: md5')),
    schemaType: parseType(fields['schemaType']),
    references: (optional(fields['references'], listAt('value: references')) ?? []).map(parseReference),
    metadata: optional(fields['metadata'], readMetadata),
    ruleSet: optional(fields['ruleSet'], parseRuleSet),
    schema: textAt('value: schema')(fields['schema']),
    deleted: optional(fields['deleted'], booleanAt('value: deleted')) ?? false,
  }
}

function parseReference(value: unknown): SchemaReference {
  const { name, subject, version } = objectOf(value, 'value: a reference')
  return {
    name: textAt('reference: name')(name),
    subject: optional(subject, textAt('reference: subject')) ?? '',
    version: integerAt('reference: version')(version),
  }
}

function parseType(value: unknown): SchemaType {
  const type = optional(value, textAt('value: schemaType')) ?? 'AVRO'
  const known = schemaTypes.find((each) => each === type)
  if (known === undefined) throw new TypeError(`unknown schema type ${type}`)
  return known
}

function parseMode(value: unknown): Mode {
  const mode = modes.find((each) => each === value)
  if (mode === undefined) throw new TypeError(`unknown mode ${String(value)}`)
  return mode
}

function parseConfigValue(fields: Readonly<Record<string, unknown>>): ConfigValue {
  const level = compatibilityLevels.find((each) => each === fields['compatibilityLevel'])
  const read = readConfigRequest({ ...fields, compatibility: level })
  return Object.fromEntries(Object.entries(read).filter(([, value]) => value !== null))
}
