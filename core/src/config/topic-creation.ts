/**
 * `topic.creation.*` of source connectors (KIP-158): with which settings the topics are made that a source writes to and
 * that do not exist. The first of `topic.creation.groups` that a topic's name matches decides, else `default`.
 */
import type { Settings } from '@tidewire/sdk'
import { compileSettings, type SettingErrors } from './settings.ts'

type Config = Readonly<Record<string, string>>

/** How a topic is to be made. -1: as the broker has it. */
export interface TopicTemplate {
  /** For messages. */
  readonly group: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}

/** Picks the template for a topic by its name. */
export type TopicCreation = (topic: string) => TopicTemplate

export interface ParsedTopicCreation {
  /** Declarations of the settings that this config can have, by full name. Empty where it has none of the kind. */
  readonly settings: Settings
  readonly errors: SettingErrors
  /** Use it only where there are no errors. */
  readonly creation: TopicCreation
}

interface Group {
  readonly template: TopicTemplate
  readonly include: readonly RegExp[]
  readonly exclude: readonly RegExp[]
}

const prefix = 'topic.creation.'
const groupsSetting = 'topic.creation.groups'
const uiGroup = 'Topic Creation'

/** One partition or more, one replica or more: whatever the broker gives a topic that nobody made. */
const asTheBrokerHasIt: TopicTemplate = { group: 'default', partitions: -1, replicationFactor: -1, config: {} }

/** A name below `topic.creation.`, which {@link parseTopicCreation} checks. */
export function isTopicCreationSetting(name: string): boolean {
  return name.startsWith(prefix) && name !== groupsSetting
}

/** Reads all that a source's config says about new topics. Without any such setting, the broker's defaults. */
export function parseTopicCreation(raw: Config): ParsedTopicCreation {
  const given = Object.fromEntries(Object.entries(raw).filter(([name]) => name.startsWith(prefix)))
  if (Object.keys(given).length === 0) return { settings: {}, errors: {}, creation: () => asTheBrokerHasIt }
  const groups = listOf(given[groupsSetting])
  const settings = settingsOf(groups)
  const parsed = compileSettings(settings, { foreign: () => true })(given)
  const config = parsed.config as Readonly<Record<string, number | string[] | undefined>>
  const errors = { ...parsed.errors }
  const refuse = (name: string, why: string): void => void (errors[name] ??= []).push(why)

  for (const problem of groupProblems(groups)) {
    refuse(groupsSetting, `Invalid value ${groups.join(',')} for configuration ${groupsSetting}: ${problem}`)
  }
  for (const [name, setting] of Object.entries(settings)) {
    const value = config[name]
    if (value === 0) refuse(name, `Invalid value 0 for configuration ${name}: expected -1, or a number greater than 0`)
    const problem = setting.type === 'list' ? patternProblem(value as string[] | undefined) : undefined
    if (problem !== undefined) {
      refuse(name, `Invalid value ${raw[name] ?? ''} for configuration ${name}: ${problem}`)
    }
  }
  for (const name of Object.keys(given)) {
    const known =
      name === groupsSetting || ['default', ...groups].some((group) => name.startsWith(`${prefix}${group}.`))
    if (!known) refuse(name, `Configuration ${name} names no group of ${groupsSetting}`)
  }
  if (Object.keys(errors).length > 0) return { settings, errors, creation: () => asTheBrokerHasIt }
  return { settings, errors, creation: creationOf(groups, given, config) }
}

function creationOf(
  groups: readonly string[],
  given: Config,
  config: Readonly<Record<string, number | string[] | undefined>>,
): TopicCreation {
  const number = (group: string, what: string): number | undefined =>
    config[`${prefix}${group}.${what}`] as number | undefined
  const template = (group: string): TopicTemplate => ({
    group,
    partitions: number(group, 'partitions') ?? number('default', 'partitions') ?? -1,
    replicationFactor: number(group, 'replication.factor') ?? number('default', 'replication.factor') ?? -1,
    config: topicConfigOf(group, given),
  })
  const patterns = (group: string, what: string): RegExp[] =>
    (config[`${prefix}${group}.${what}`] as string[] | undefined)?.map(whole) ?? []
  const rules: Group[] = groups.map((group) => ({
    template: template(group),
    include: patterns(group, 'include'),
    exclude: patterns(group, 'exclude'),
  }))
  const fallback = template('default')
  const matches = (list: readonly RegExp[], topic: string): boolean => list.some((each) => each.test(topic))
  return (topic) =>
    rules.find(({ include, exclude }) => matches(include, topic) && !matches(exclude, topic))?.template ?? fallback
}

const ownNames: ReadonlySet<string> = new Set(['include', 'exclude', 'partitions', 'replication.factor'])

/** What a group says beyond its own settings is config of the topic. */
function topicConfigOf(group: string, given: Config): Record<string, string> {
  const start = `${prefix}${group}.`
  const entries = Object.entries(given).flatMap(([name, value]) => {
    const setting = name.startsWith(start) ? name.slice(start.length) : ''
    return setting === '' || ownNames.has(setting) ? [] : [[setting, value.trim()]]
  })
  return Object.fromEntries(entries) as Record<string, string>
}

function settingsOf(groups: readonly string[]): Settings {
  const both = (group: string): Settings => ({
    [`${prefix}${group}.replication.factor`]: {
      type: 'int',
      minimum: -1,
      ...(group === 'default' ? { required: true } : {}),
      importance: 'low',
      group: uiGroup,
      doc: `Replicas of new topics of group ${group}; -1: the broker’s default.`,
    },
    [`${prefix}${group}.partitions`]: {
      type: 'int',
      minimum: -1,
      ...(group === 'default' ? { required: true } : {}),
      importance: 'low',
      group: uiGroup,
      doc: `Partitions of new topics of group ${group}; -1: the broker’s default.`,
    },
  })
  const own = (group: string): Settings => ({
    [`${prefix}${group}.include`]: {
      type: 'list',
      required: true,
      importance: 'low',
      group: uiGroup,
      doc: `Regular expressions (JavaScript); a topic whose whole name matches one belongs to group ${group}.`,
    },
    [`${prefix}${group}.exclude`]: {
      type: 'list',
      default: [],
      importance: 'low',
      group: uiGroup,
      doc: `Regular expressions of topics that do not belong to group ${group} after all.`,
    },
    ...both(group),
  })
  return Object.assign({ ...both('default') }, ...groups.map(own)) as Settings
}

function groupProblems(groups: readonly string[]): string[] {
  const problems: string[] = []
  if (groups.includes('default')) problems.push("'default' is there always, and is not named")
  if (groups.includes('')) problems.push('a group has no name')
  const twice = groups.find((group, i) => groups.indexOf(group) !== i)
  if (twice !== undefined) problems.push(`'${twice}' is named twice`)
  return problems
}

function patternProblem(patterns: readonly string[] | undefined): string | undefined {
  for (const pattern of patterns ?? []) {
    try {
      whole(pattern)
    } catch (error) {
      return (error as Error).message
    }
  }
  return undefined
}

function whole(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`)
}

function listOf(value: string | undefined): string[] {
  const text = value?.trim() ?? ''
  return text === '' ? [] : text.split(/\s*,\s*/)
}
