/** Whether a schema may follow those before it, by the level that holds. */
import type { ParsedSchema } from '../schemas/schema-format.ts'
import type { EffectiveConfig } from './config-scope.ts'
import type { CompatibilityLevel } from './request-body.ts'
import type { Metadata, SchemaEntity } from './schema-entity.ts'

/** Of an older schema, as it is quoted in a message. */
const MAX_QUOTED_CHARACTERS = 10 * 1024

interface Next {
  readonly parsed: ParsedSchema
  readonly metadata: Metadata | undefined
}

/**
 * @param earlier live versions, by number
 * @returns messages why it may not, in the shape of the Confluent registry; empty: it may
 */
export function checkCompatibility(
  config: EffectiveConfig,
  next: Next,
  earlier: readonly SchemaEntity[],
  parse: (version: SchemaEntity) => ParsedSchema,
): readonly string[] {
  const { compatibilityLevel: level, compatibilityGroup: group, compatibilityPolicy } = config
  if (level === 'NONE') return []
  const ofGroup = (metadata: Metadata | undefined): string | undefined => metadata?.properties?.[group!]
  const others =
    group === undefined ? earlier : earlier.filter(({ metadata }) => ofGroup(metadata) === ofGroup(next.metadata))
  const compared = level.endsWith('_TRANSITIVE') ? others.toReversed() : others.slice(-1)
  const policy = compatibilityPolicy === 'LENIENT' ? 'LENIENT' : 'STRICT'
  for (const version of compared) {
    const messages = compare(level, next.parsed, version, parse, policy)
    if (messages.length === 0) continue
    return [...messages, `{validateFields: '${config.validateFields === true}', compatibility: '${level}'}`]
  }
  return []
}

function compare(
  level: CompatibilityLevel,
  next: ParsedSchema,
  version: SchemaEntity,
  parse: (version: SchemaEntity) => ParsedSchema,
  policy: 'STRICT' | 'LENIENT',
): readonly string[] {
  if (version.schemaType !== next.type) return ['Incompatible because of different schema type']
  const before = parse(version)
  const messages: string[] = []
  if (level.startsWith('F')) messages.push(...before.compatibility(next, policy).map(filledIn('old', 'new')))
  if (!level.startsWith('FORWARD')) messages.push(...next.compatibility(before, policy).map(filledIn('new', 'old')))
  if (messages.length === 0) return []
  const { schema } = version
  const quoted =
    schema.length <= MAX_QUOTED_CHARACTERS
      ? `'${schema}'`
      : `<truncated> '${schema.slice(0, MAX_QUOTED_CHARACTERS)}...'`
  return [...messages, `{oldSchemaVersion: ${version.version}}`, `{oldSchema: ${quoted}}`]
}

/** The first place in a message is for the reader, the second for the writer. */
function filledIn(reader: string, writer: string): (message: string) => string {
  return (message) => {
    const words = [reader, writer]
    return message.replaceAll('%s', () => words.shift() ?? '%s')
  }
}
