import {
  changed,
  defineConfig,
  defineTransform,
  schema as schemas,
  type ConnectRecord,
  type Schema,
  type Setting,
  type Settings,
  type Transform,
  type TransformDefinition,
} from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { fieldOf, isEnvelope, withoutDefault } from './debezium-envelope.ts'
import { JavaRegex, type JavaReplacement } from './java-regex.ts'
import { perSchema, requireFields, requireStruct } from './struct-values.ts'
import { memoByTopic } from './topic-memo.ts'

const purpose = 'ByLogicalTableRouter'

const common = {
  'topic.regex': {
    type: 'string',
    required: true,
    importance: 'low',
    doc: "What a topic must match as a whole for its records to get another: a regular expression in Java's syntax.",
  },
  'topic.replacement': {
    type: 'string',
    required: true,
    importance: 'low',
    doc: 'The topic that they get; `$1` and `${name}` stand for groups.',
  },
  'key.enforce.uniqueness': {
    type: 'boolean',
    default: true,
    importance: 'low',
    doc: 'Whether keys get a field that tells the tables apart which now share a topic.',
  },
  'key.field.regex': {
    type: 'string',
    default: '',
    importance: 'low',
    doc: 'What finds the value of that field in the topic. Left out, or where it does not match: the whole topic.',
  },
  'key.field.replacement': {
    type: 'string',
    default: '',
    importance: 'low',
    doc: 'The value of that field, of the groups of `key.field.regex`.',
  },
  'schema.name.adjustment.mode': {
    type: 'string',
    enum: ['none', 'avro'],
    default: 'none',
    importance: 'low',
    doc: 'How the names of schemas, which follow the topic, are made fit for converters. `avro`: what Avro does not allow is `_`.',
  },
  'logical.destination.cache.size': {
    type: 'int',
    default: 16,
    importance: 'low',
    doc: "Has no effect: schemas are kept as long as they are in use. Debezium's number of them.",
  },
} as const satisfies Record<string, Setting>

interface Config {
  readonly 'topic.regex': string
  readonly 'topic.replacement': string
  readonly 'key.enforce.uniqueness': boolean
  readonly 'key.field.regex': string
  readonly 'key.field.replacement': string
  readonly 'schema.name.adjustment.mode': 'none' | 'avro'
  readonly 'key.field.name': string
}

function keyFieldName(fallback: string): Setting & { type: 'string'; default: string } {
  return { type: 'string', default: fallback, importance: 'low', doc: 'The name of that field.' }
}

function define<const S extends Settings>(name: string, className: string, config: S): TransformDefinition<S> {
  return defineTransform<S>({
    name,
    aliases: [`io.debezium.transforms.${className}`],
    doc: 'Sends the changes of several tables to one topic. What is no change event is sent there too, with its value as it is.',
    config,
    check: (settings) => check(settings as unknown as Config),
    create: (settings) => new LogicalTopicRouter(settings as unknown as Config),
  })
}

export const logicalTopicRouters = [
  define(
    'by-logical-table-router',
    'ByLogicalTableRouter',
    defineConfig({
      ...common,
      'key.field.name': keyFieldName('__dbz__physicalTableIdentifier'),
      'logical.table.cache.size': {
        type: 'int',
        default: 16,
        importance: 'low',
        doc: 'Former name of `logical.destination.cache.size`.',
      },
    }),
  ),
  define(
    'to-logical-topic-router',
    'ToLogicalTopicRouter',
    defineConfig({ ...common, 'key.field.name': keyFieldName('__dbz__sourceIdentifier') }),
  ),
] as const

function check(settings: Config): Record<string, string> {
  const problems: Record<string, string> = {}
  for (const setting of ['topic', 'key.field'] as const) {
    let at = `${setting}.regex`
    try {
      const regex = new JavaRegex(settings[`${setting}.regex`])
      at = `${setting}.replacement`
      regex.replacement(settings[`${setting}.replacement`])
    } catch (error) {
      problems[at] = (error as Error).message
    }
  }
  if (settings['key.field.regex'].trim() !== '' && settings['key.field.replacement'].trim() === '') {
    problems['key.field.replacement'] = 'is needed with key.field.regex'
  }
  return problems
}

interface Substitution {
  readonly regex: JavaRegex
  readonly replacement: JavaReplacement
}

function substitution(regex: string, replacement: string): Substitution {
  const compiled = new JavaRegex(regex)
  return { regex: compiled, replacement: compiled.replacement(replacement) }
}

class LogicalTopicRouter implements Transform {
  readonly #settings: Config
  readonly #ofTopic

  constructor(settings: Config) {
    this.#settings = settings
    const route = substitution(settings['topic.regex'], settings['topic.replacement'])
    const keyRegex = settings['key.field.regex'].trim()
    const source =
      keyRegex === '' ? undefined : substitution(settings['key.field.regex'], settings['key.field.replacement'])
    this.#ofTopic = memoByTopic((from) => {
      const topic = route.regex.matches(from) ? route.regex.replaceFirst(from, route.replacement) : ''
      const identifier =
        source?.regex.matches(from) === true ? source.regex.replaceFirst(from, source.replacement) : from
      return {
        topic,
        identifier,
        keyOf: perSchema((schema) => this.#keySchema(schema, topic)),
        envelopeOf: perSchema((schema) => this.#envelopeSchema(schema, topic)),
      }
    })
  }

  apply<R extends ConnectRecord>(record: R): R {
    const { topic, identifier, keyOf, envelopeOf } = this.#ofTopic(record.topic)
    if (topic === '') return record
    const { 'key.enforce.uniqueness': isUnique, 'key.field.name': name } = this.#settings
    let key: unknown = null
    let keySchema: Schema | undefined
    if (record.key !== null && record.key !== undefined) {
      const of: Schema = record.keySchema ?? { type: 'string' }
      key = requireStruct(record.key, of, purpose)
      keySchema = keyOf(of)
      if (isUnique) {
        key = { ...(key as Record<string, unknown>) }
        setProperty(key as Record<string, unknown>, name, identifier)
      }
    }
    const { value, valueSchema } = record
    if (value === null || value === undefined || !isEnvelope(valueSchema)) {
      return changed(record, { topic, key, keySchema })
    }
    return changed(record, { topic, key, keySchema, valueSchema: envelopeOf(valueSchema) })
  }

  #name(name: string): string {
    return this.#settings['schema.name.adjustment.mode'] === 'avro' ? avroName(name) : name
  }

  #keySchema(schema: Schema, topic: string): Schema {
    const { 'key.enforce.uniqueness': isUnique, 'key.field.name': name } = this.#settings
    const fields = requireFields(schema, purpose)
    const more = isUnique ? [{ name, schema: schemas.string() }] : []
    return renamed(schema, this.#name(`${topic}.Key`), [...fields, ...more])
  }

  #envelopeSchema(schema: Schema, topic: string): Schema {
    const row = (fieldOf(schema, 'before') ?? fieldOf(schema, 'after'))?.schema
    const rowSchema = row && renamed(row, this.#name(`${topic}.Value`), requireFields(row, purpose))
    const fields = requireFields(schema, purpose).map((field) => {
      const isRow = rowSchema !== undefined && (field.name === 'before' || field.name === 'after')
      return isRow ? { name: field.name, schema: rowSchema } : field
    })
    return renamed(schema, this.#name(`${topic}.Envelope`), fields)
  }
}

function renamed(schema: Schema, name: string, fields: Schema['fields']): Schema {
  return { ...withoutDefault(schema), name, fields: fields! }
}

/** As Debezium makes names fit for Avro: a digit that may not come first keeps its place behind the `_`. */
function avroName(name: string): string {
  const rest = name.slice(1).replaceAll(/[^\w.]/g, '_')
  const first = name.slice(0, 1)
  if (/[A-Za-z_]/.test(first)) return first + rest
  return (/\d/.test(first) ? `_${first}` : '_') + rest
}
