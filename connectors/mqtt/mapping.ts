import { type Header, schema } from '@tidewire/sdk'
import { covers, filterProblem } from './topic-filter.ts'

/** Where a message goes. */
export interface Target {
  readonly topic: string
  readonly key: string
  /** The MQTT topic, as the header that every record of it carries. */
  readonly topicHeader: Header
}

const stringSchema = schema.string()

/** What a template is filled from beside the named levels. */
interface Names {
  readonly topic: string
  readonly client: string
}

/** A text with `{name}` in it, cut up for filling. */
type Template = readonly (string | { readonly name: string })[]

interface Rule {
  /** As an MQTT filter: each named level is a `+`. */
  readonly filter: string
  readonly levels: readonly string[]
  /** The position of each named level. */
  readonly named: ReadonlyMap<string, number>
  readonly topic: Template
  readonly key: Template
}

/** A rule that cannot be; the message says what and why. */
export class MappingError extends Error {
  override readonly name = 'MappingError'
}

const levelName = /^\{([A-Za-z][A-Za-z0-9_]*)\}$/
const builtIn = new Set(['topic', 'client'])
const legalTopic = /^[A-Za-z0-9._-]{1,249}$/
const maxCached = 10_000

/**
 * Why Kafka, or Tidewire, would not have records written to a topic of this name; undefined when they would.
 * Internal topics hold the platform's own state, so no device may ever write there.
 */
export function topicProblem(topic: string): string | undefined {
  if (!legalTopic.test(topic) || topic === '.' || topic === '..') {
    return `'${topic}' is not a legal topic name (1 to 249 of a-z, A-Z, 0-9, '.', '_', '-')`
  }
  if (topic.startsWith('__') || topic.startsWith('connect-') || topic === '_schemas') {
    return `'${topic}' is an internal topic`
  }
  return undefined
}

/** An MQTT topic as a Kafka topic name: levels joined by dots, other characters that Kafka lacks as `_`. */
function sanitise(text: string): string {
  return text.replaceAll('/', '.').replace(/[^A-Za-z0-9._-]/g, '_')
}

function parseTemplate(text: string, named: ReadonlyMap<string, number>, what: string): Template {
  const parts: (string | { name: string })[] = []
  // split with a group: the odd parts are the names.
  for (const [index, part] of text.split(/\{([^{}]*)\}/).entries()) {
    if (index % 2 === 0) {
      if (/[{}]/.test(part)) throw new MappingError(`${what} '${text}': a brace without its partner`)
      if (part !== '') parts.push(part)
      continue
    }
    if (!named.has(part) && !builtIn.has(part)) {
      const known = [...named.keys(), ...builtIn].map((name) => `{${name}}`).join(', ')
      throw new MappingError(`${what} '${text}': {${part}} is not known here, only ${known}`)
    }
    parts.push({ name: part })
  }
  return parts
}

function fill(template: Template, rule: Rule, levels: readonly string[], names: Names): string {
  let text = ''
  for (const part of template) {
    if (typeof part === 'string') text += part
    else if (part.name === 'topic') text += names.topic
    else if (part.name === 'client') text += names.client
    else text += levels[rule.named.get(part.name)!] ?? ''
  }
  return text
}

function makeRule(namedFilter: string, topic: string, key: string | undefined): Rule {
  const named = new Map<string, number>()
  const levels = namedFilter.split('/').map((level, index) => {
    const name = levelName.exec(level)?.[1]
    if (name === undefined) return level
    if (builtIn.has(name)) throw new MappingError(`'${namedFilter}': a level cannot be named {${name}}`)
    if (named.has(name)) throw new MappingError(`'${namedFilter}': {${name}} names two levels`)
    named.set(name, index)
    return '+'
  })
  const filter = levels.join('/')
  const problem = filterProblem(filter)
  if (problem !== undefined) throw new MappingError(`'${namedFilter}': ${problem}`)
  const [firstName] = named.keys()
  const topicTemplate = parseTemplate(topic, named, 'topic')
  if (topicTemplate.every((part) => typeof part === 'string')) {
    const topicIssue = topicProblem(sanitise(topic))
    if (topicIssue !== undefined) throw new MappingError(`'${namedFilter}': ${topicIssue}`)
  }
  const keyTemplate = parseTemplate(key ?? (firstName === undefined ? '{topic}' : `{${firstName}}`), named, 'key')
  return { filter, levels, named, topic: topicTemplate, key: keyTemplate }
}

/**
 * Decides by rules which topic and key a message gets. The first rule whose filter covers the MQTT topic wins.
 *
 * A rule reads `sensors/{device}/# => sensors : {device}`: a topic filter in which a level may have a name in place of
 * `+`, the topic to write to, and the record key. In the last two, `{name}` stands for what the level held, `{topic}`
 * for the whole MQTT topic and `{client}` for the client identifier of the publisher, where it is known. The key may
 * be left out: then it is the first named level, else the MQTT topic.
 */
export class Mapping {
  readonly #rules: readonly Rule[]
  readonly #perClient: boolean
  #cache = new Map<string, Target | undefined>()

  private constructor(rules: readonly Rule[]) {
    this.#rules = rules
    this.#perClient = rules.some((rule) =>
      [...rule.topic, ...rule.key].some((part) => typeof part !== 'string' && part.name === 'client'),
    )
  }

  /** @throws MappingError when a rule cannot be */
  static parse(rules: readonly string[]): Mapping {
    return new Mapping(
      rules.map((text) => {
        const match = /^\s*(.*?)\s*=>\s*(.*?)(?:\s+:\s+(.*?))?\s*$/.exec(text)
        if (match === null || match[1] === '' || match[2] === '') {
          throw new MappingError(`'${text}' is not of the form 'filter => topic' or 'filter => topic : key'`)
        }
        return makeRule(match[1]!, match[2]!, match[3])
      }),
    )
  }

  /** The same topic and key templates for several filters. @throws MappingError when a rule cannot be */
  static of(filters: readonly string[], topic: string, key: string | undefined): Mapping {
    return new Mapping(filters.map((filter) => makeRule(filter, topic, key)))
  }

  /** First this mapping's rules, then the other's. */
  or(other: Mapping): Mapping {
    return new Mapping([...this.#rules, ...other.#rules])
  }

  /** The rules' filters as MQTT knows them, those left out that another covers. */
  get filters(): readonly string[] {
    return withoutCovered(this.#rules.map((rule) => rule.filter))
  }

  /** Whether every topic that the filter can match has a rule of its own; errs on the side of no. */
  coversFilter(filter: string): boolean {
    const levels = filter.split('/')
    return this.#rules.some((rule) => covers(rule.levels, levels))
  }

  /**
   * Where a message goes; undefined where no rule covers its topic.
   * @throws MappingError when the rule gives a topic that must not be written to
   */
  target(mqttTopic: string, client: string): Target | undefined {
    if (this.#perClient) return this.#resolve(mqttTopic, client)
    const known = this.#cache.get(mqttTopic)
    if (known !== undefined) return known
    const target = this.#resolve(mqttTopic, client)
    // Devices choose their topics: what they can make this remember is bounded.
    if (this.#cache.size >= maxCached) this.#cache.clear()
    this.#cache.set(mqttTopic, target)
    return target
  }

  #resolve(mqttTopic: string, client: string): Target | undefined {
    const levels = mqttTopic.split('/')
    const rule = this.#rules.find((candidate) => covers(candidate.levels, levels))
    if (rule === undefined) return undefined
    const names = { topic: mqttTopic, client }
    const topic = sanitise(fill(rule.topic, rule, levels, names))
    const problem = topicProblem(topic)
    if (problem !== undefined) throw new MappingError(problem)
    return {
      topic,
      key: fill(rule.key, rule, levels, names),
      topicHeader: { key: 'mqtt.topic', value: mqttTopic, schema: stringSchema },
    }
  }
}

/** Filters without repetitions and without those that another one covers, which a broker might deliver twice for. */
export function withoutCovered(filters: readonly string[]): string[] {
  const unique = [...new Set(filters)].map((filter) => ({ filter, levels: filter.split('/') }))
  return unique
    .filter((one) => !unique.some((other) => other !== one && covers(other.levels, one.levels)))
    .map((one) => one.filter)
}

/** A filter with named levels as MQTT knows it: `sensors/{device}/#` → `sensors/+/#`. */
export function plainFilter(namedFilter: string): string {
  return namedFilter
    .split('/')
    .map((level) => (levelName.test(level) ? '+' : level))
    .join('/')
}
