import type { Setting, Settings } from '@tidewire/sdk'

/** One setting as Kafka Connect's REST API describes it. */
export interface ConfigKeyInfo {
  readonly name: string
  readonly type: string
  readonly required: boolean
  readonly default_value: string | null
  readonly importance: string
  readonly documentation: string
  readonly group: string | null
  readonly width: string
  readonly display_name: string
  readonly dependents: readonly string[]
  /** Position within the group; -1 without one. */
  readonly order_in_group: number
}

type Width = 'SHORT' | 'MEDIUM' | 'LONG'

/** Headings in the order in which Kafka Connect shows them, before all others. */
const headings = [
  'Common',
  'Transforms',
  'Predicates',
  'Error Handling',
  'Topic Creation',
  'Exactly Once Support',
  'offsets.topic',
]

/**
 * How Kafka Connect 4.3 shows the settings that every connector has, and those of its JSON converter: under which heading,
 * how wide a field, and where, as ConnectorConfig, SinkConnectorConfig, SourceConnectorConfig and JsonConverterConfig say it.
 * Positions are not always counted by heading, there, and two may share one.
 */
const shown: Readonly<Record<string, readonly [heading: string, width: Width, order: number]>> = {
  name: ['Common', 'MEDIUM', 1],
  'connector.class': ['Common', 'LONG', 2],
  'connector.plugin.version': ['Common', 'MEDIUM', 3],
  'tasks.max': ['Common', 'SHORT', 4],
  'tasks.max.enforce': ['Common', 'SHORT', 5],
  'key.converter': ['Common', 'SHORT', 6],
  'key.converter.plugin.version': ['Common', 'SHORT', 7],
  'value.converter': ['Common', 'SHORT', 8],
  'value.converter.plugin.version': ['Common', 'SHORT', 9],
  'header.converter': ['Common', 'SHORT', 10],
  'header.converter.plugin.version': ['Common', 'SHORT', 11],
  transforms: ['Transforms', 'LONG', 12],
  predicates: ['Predicates', 'LONG', 13],
  'config.action.reload': ['Common', 'MEDIUM', 14],
  topics: ['Common', 'LONG', 4],
  'topics.regex': ['Common', 'LONG', 4],
  'errors.retry.timeout': ['Error Handling', 'MEDIUM', 1],
  'errors.retry.delay.max.ms': ['Error Handling', 'MEDIUM', 2],
  'errors.tolerance': ['Error Handling', 'SHORT', 3],
  'errors.log.enable': ['Error Handling', 'SHORT', 4],
  'errors.log.include.messages': ['Error Handling', 'SHORT', 5],
  'errors.deadletterqueue.topic.name': ['Error Handling', 'MEDIUM', 6],
  'errors.deadletterqueue.topic.replication.factor': ['Error Handling', 'MEDIUM', 7],
  'errors.deadletterqueue.context.headers.enable': ['Error Handling', 'MEDIUM', 8],
  'topic.creation.groups': ['Topic Creation', 'LONG', 1],
  'exactly.once.support': ['Exactly Once Support', 'SHORT', 2],
  'transaction.boundary': ['Exactly Once Support', 'SHORT', 3],
  'transaction.boundary.interval.ms': ['Exactly Once Support', 'SHORT', 4],
  'offsets.storage.topic': ['offsets.topic', 'LONG', 1],
  'schemas.enable': ['Schemas', 'MEDIUM', 0],
  'schemas.cache.size': ['Schemas', 'MEDIUM', 1],
  'schema.content': ['Schemas', 'MEDIUM', 2],
  'decimal.format': ['Serialization', 'MEDIUM', 0],
  'replace.null.with.default': ['Serialization', 'MEDIUM', 1],
}

/** A declaration in the words of Kafka Connect's `/connector-plugins/{plugin}/config`. */
export function kafkaDefinition(settings: Settings): ConfigKeyInfo[] {
  const placed = Object.entries(settings).map(([name, setting]) => {
    const place = shown[name.replace(/^(key|value|header)\.converter\.(?!plugin\.version$)/, '')]
    if (place !== undefined && place[0] === setting.group) return { name, setting, place }
    return { name, setting, place: placeOfAlias(name, setting.group) }
  })
  // What Kafka Connect does not know comes after what it does.
  const last = new Map<string, number>()
  for (const { place } of placed)
    if (place !== undefined) last.set(place[0], Math.max(last.get(place[0]) ?? 0, place[2]))
  return placed.map(({ name, setting, place }) => {
    const group = setting.group ?? null
    const order = place?.[2] ?? (group === null ? -1 : (last.get(group) ?? 0) + 1)
    if (group !== null && place === undefined) last.set(group, order)
    return {
      name,
      // Kafka Connect takes part of a class's name too, and so calls it a text.
      type: name === 'connector.class' ? 'STRING' : setting.type.toUpperCase(),
      required: setting.required === true,
      default_value: defaultText(setting),
      importance: (setting.importance ?? 'medium').toUpperCase(),
      documentation: setting.doc,
      group,
      width: place?.[1] ?? 'NONE',
      display_name: setting.displayName ?? name,
      dependents: [],
      order_in_group: order,
    }
  })
}

/** Of the two settings that stand before all others below the alias of a transform or a predicate. */
function placeOfAlias(name: string, group: string | undefined): (typeof shown)[string] | undefined {
  const [, kind, alias, setting] = /^(transforms|predicates)\.(.+)\.(type|plugin\.version)$/s.exec(name) ?? []
  const heading = `${kind === 'transforms' ? 'Transforms' : 'Predicates'}: ${alias}`
  if (kind === undefined || heading !== group) return undefined
  return [heading, 'LONG', setting === 'type' ? 0 : 1]
}

/** The headings of these settings, in the order in which they are shown. */
export function kafkaGroups(definitions: readonly ConfigKeyInfo[]): string[] {
  const groups = new Set(definitions.flatMap(({ group }) => group ?? []))
  return [...headings.filter((heading) => groups.delete(heading)), ...groups]
}

function defaultText({ type, default: value }: Setting): string | null {
  if (value === undefined) return null
  if (type === 'password') return '[hidden]'
  return typeof value === 'object' ? value.join(',') : String(value)
}
