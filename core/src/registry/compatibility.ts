/** Whether a schema may follow those before it, by the level that holds. */
import { setImmediate } from 'node:timers/promises'
import type { CompatibilityPolicy, ParsedSchema } from '../schemas/schema-format.ts'
import type { EffectiveConfig } from './config-scope.ts'
import { LargeSchema } from './large-schema.ts'
import type { CompatibilityLevel } from './request-body.ts'
import type { Metadata, SchemaEntity } from './schema-entity.ts'

/** Of an older schema, as it is quoted in a message. */
const MAX_QUOTED_CHARACTERS = 10 * 1024

interface Next {
  readonly parsed: ParsedSchema
  readonly metadata: Metadata | undefined
}

type Parse = (version: SchemaEntity) => ParsedSchema

/**
 * @param earlier live versions, by number
 * @returns messages why it may not, in the shape of the Confluent registry; empty: it may
 */
export function checkCompatibility(
  config: EffectiveConfig,
  next: Next,
  earlier: readonly SchemaEntity[],
  parse: Parse,
): readonly string[] {
  const checks = check(config, next, earlier, parse)
  for (;;) {
    const { done, value } = checks.next()
    if (done === true) return value
  }
}

/** As {@link checkCompatibility}, with turns for others: of one version it may take long, and there may be many. */
export async function checkInTurns(
  config: EffectiveConfig,
  next: Next,
  earlier: readonly SchemaEntity[],
  parse: Parse,
): Promise<readonly string[]> {
  const checks = check(config, next, earlier, parse)
  for (;;) {
    const { done, value } = checks.next()
    if (done === true) return value
    await setImmediate()
  }
}

/** Version by version. */
function* check(
  config: EffectiveConfig,
  next: Next,
  earlier: readonly SchemaEntity[],
  parse: Parse,
): Generator<void, readonly string[], void> {
  const { compatibilityLevel: level, compatibilityGroup: group, compatibilityPolicy } = config
  if (level === 'NONE') return []
  const ofGroup = (metadata: Metadata | undefined): string | undefined => metadata?.properties?.[group!]
  const others =
    group === undefined ? earlier : earlier.filter(({ metadata }) => ofGroup(metadata) === ofGroup(next.metadata))
  const compared = level.endsWith('_TRANSITIVE') ? others.toReversed() : others.slice(-1)
  const policy = compatibilityPolicy === 'LENIENT' ? 'LENIENT' : 'STRICT'
  for (const version of compared) {
    const messages = compare(level, next.parsed, version, parse, policy)
    if (messages.length > 0) {
      return [...messages, `{validateFields: '${config.validateFields === true}', compatibility: '${level}'}`]
    }
    yield
  }
  return []
}

function compare(
  level: CompatibilityLevel,
  next: ParsedSchema,
  version: SchemaEntity,
  parse: (version: SchemaEntity) => ParsedSchema,
  policy: CompatibilityPolicy,
): readonly string[] {
  if (version.schemaType !== next.type) return ['Incompatible because of different schema type']
  const before = parse(version)
  const messages: string[] = []
  if (level.startsWith('F')) messages.push(...reasons(before, next, policy).map(filledIn('old', 'new')))
  if (!level.startsWith('FORWARD')) messages.push(...reasons(next, before, policy).map(filledIn('new', 'old')))
  if (messages.length === 0) return []
  const { schema } = version
  const quoted =
    schema.length <= MAX_QUOTED_CHARACTERS
      ? `'${schema}'`
      : `<truncated> '${schema.slice(0, MAX_QUOTED_CHARACTERS)}...'`
  return [...messages, `{oldSchemaVersion: ${version.version}}`, `{oldSchema: ${quoted}}`]
}

/** What has been found out, for as long as both are kept parsed: what is tried in turns is then decided at once. */
const known = new WeakMap<ParsedSchema, WeakMap<ParsedSchema, Map<CompatibilityPolicy, readonly string[]>>>()

function reasons(reader: ParsedSchema, writer: ParsedSchema, policy: CompatibilityPolicy): readonly string[] {
  const ofReader = known.get(reader) ?? new WeakMap<ParsedSchema, Map<CompatibilityPolicy, readonly string[]>>()
  known.set(reader, ofReader)
  const ofPair = ofReader.get(writer) ?? new Map<CompatibilityPolicy, readonly string[]>()
  ofReader.set(writer, ofPair)
  const found = ofPair.get(policy) ?? compared(reader, writer, policy)
  ofPair.set(policy, found)
  return found
}

/** @throws StillWorking where one of them is large */
function compared(reader: ParsedSchema, writer: ParsedSchema, policy: CompatibilityPolicy): readonly string[] {
  return writer instanceof LargeSchema ? writer.readableBy(reader, policy) : reader.compatibility(writer, policy)
}

/** The first place in a message is for the reader, the second for the writer. */
function filledIn(reader: string, writer: string): (message: string) => string {
  return (message) => {
    const words = [reader, writer]
    return message.replaceAll('%s', () => words.shift() ?? '%s')
  }
}
