import {
  DataError,
  changed,
  defineConfig,
  defineTransform,
  schema as schemas,
  type ConfigOf,
  type ConnectRecord,
  type Header,
  type Logger,
  type Schema,
  type Transform,
} from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { isEnvelope, requiredField, fieldOf } from './debezium-envelope.ts'
import { structOf } from './derived-schema.ts'
import { JavaRegex } from './java-regex.ts'
import { expandJson, type ExpandOptions } from './json-payload.ts'
import { fieldReader, perSchema, requireStruct, type NewStruct, type Struct } from './struct-values.ts'
import { memoByTopic } from './topic-memo.ts'

const purpose = 'EventRouter'

const config = defineConfig({
  'table.field.event.id': {
    type: 'string',
    default: 'id',
    importance: 'low',
    doc: "The column with the event's id, which goes into the header `id`.",
  },
  'table.field.event.key': {
    type: 'string',
    default: 'aggregateid',
    importance: 'low',
    doc: 'The column that becomes the key.',
  },
  'table.field.event.type': {
    type: 'string',
    default: 'type',
    importance: 'low',
    doc: "The column with the event's type. Nothing is made of it, unless `table.fields.additional.placement` names it.",
  },
  'table.field.event.payload': {
    type: 'string',
    default: 'payload',
    importance: 'low',
    doc: 'The column that becomes the value.',
  },
  'table.field.event.timestamp': {
    type: 'string',
    doc: "The column with the record's timestamp. Left out: when the event was dealt with (`ts_ms`).",
  },
  'table.field.event.schema.version': {
    type: 'string',
    importance: 'low',
    doc: "The column with the version of the value's schema, where that is an envelope.",
  },
  'table.fields.additional.placement': {
    type: 'list',
    default: [],
    importance: 'high',
    doc: 'More columns and where they go: `column:header`, `column:envelope:alias`, `column:partition`. With an envelope the value is a struct of `payload` and those.',
  },
  'table.field.additional.missing': {
    type: 'string',
    enum: ['error', 'ignore'],
    default: 'error',
    doc: 'What is done where one of those columns is missing.',
  },
  'table.op.invalid.behavior': {
    type: 'string',
    enum: ['warn', 'error', 'fatal'],
    default: 'warn',
    doc: 'What is done with an update, which an outbox does not have: it is dropped with a line in the log, or fails.',
  },
  'table.expand.json.payload': {
    type: 'boolean',
    default: false,
    doc: 'Whether a payload of JSON text becomes a struct, with a schema found from it.',
  },
  'table.json.payload.null.behavior': {
    type: 'string',
    enum: ['ignore', 'optional_bytes'],
    default: 'ignore',
    doc: 'Of such a payload: whether fields that are null are left out, or are optional bytes.',
  },
  'table.json.payload.empty.array.behavior': {
    type: 'string',
    enum: ['ignore', 'optional_string'],
    default: 'ignore',
    doc: 'Of such a payload: whether empty arrays are left out, or are arrays of optional texts.',
  },
  'route.by.field': {
    type: 'string',
    default: 'aggregatetype',
    importance: 'high',
    doc: 'The column that tells the topic.',
  },
  'route.topic.regex': {
    type: 'string',
    default: '(?<routedByValue>.*)',
    importance: 'low',
    doc: "What that column's text must match as a whole for `route.topic.replacement`: a regular expression in Java's syntax.",
  },
  'route.topic.replacement': {
    type: 'string',
    default: 'outbox.event.${routedByValue}',
    importance: 'high',
    doc: 'The topic, of the groups of `route.topic.regex`.',
  },
  'route.tombstone.on.empty.payload': {
    type: 'boolean',
    default: false,
    importance: 'high',
    doc: 'Whether a payload that is null or blank gives a tombstone.',
  },
})

type Config = ConfigOf<typeof config>

export const eventRouter = defineTransform({
  name: 'outbox-event-router',
  aliases: ['io.debezium.transforms.outbox.EventRouter'],
  doc: 'Makes events of what is inserted into an outbox table, and routes them. What is no change event passes; deletes and tombstones are dropped.',
  config,
  check(settings): Record<string, string> {
    const problems: Record<string, string> = {}
    const wrong = settings['table.fields.additional.placement'].find((each) => parsePlacement(each) === undefined)
    if (wrong !== undefined) {
      problems['table.fields.additional.placement'] = `${wrong} is not column:header, :envelope or :partition`
    }
    let setting = 'route.topic.regex'
    try {
      const regex = new JavaRegex(settings['route.topic.regex'])
      setting = 'route.topic.replacement'
      regex.replacement(settings['route.topic.replacement'])
    } catch (error) {
      problems[setting] = (error as Error).message
    }
    return problems
  },
  create: (settings, context) => new EventRouter(settings, context.log),
})

interface Placement {
  readonly field: string
  readonly place: 'header' | 'envelope' | 'partition'
  readonly alias: string
}

function parsePlacement(text: string): Placement | undefined {
  const [field = '', place = '', alias = field, ...more] = text.split(':').map((part) => part.trim())
  const known = (['header', 'envelope', 'partition'] as const).find((each) => each === place.toLowerCase())
  return known === undefined || more.length > 0 ? undefined : { field, place: known, alias }
}

interface Column {
  readonly schema: Schema
  readonly read: (row: Struct) => unknown
}

class EventRouter implements Transform {
  readonly #settings: Config
  readonly #log: Logger
  readonly #placements: readonly Placement[]
  readonly #hasEnvelope: boolean
  readonly #ofEvent
  readonly #topicOf: (routed: string) => string
  readonly #expand: ExpandOptions
  readonly #expandedSchema = canonicalSchemas()

  constructor(settings: Config, log: Logger) {
    this.#settings = settings
    this.#log = log
    this.#placements = settings['table.fields.additional.placement']
      .map(parsePlacement)
      .filter((each) => each !== undefined)
    this.#hasEnvelope = this.#placements.some(({ place }) => place === 'envelope')
    this.#ofEvent = perSchema((event) => this.#compile(event))
    this.#expand = {
      name: settings['table.field.event.payload'],
      keepsNulls: settings['table.json.payload.null.behavior'] === 'optional_bytes',
      keepsEmptyArrays: settings['table.json.payload.empty.array.behavior'] === 'optional_string',
    }
    const regex = new JavaRegex(settings['route.topic.regex'])
    const replacement = regex.replacement(settings['route.topic.replacement'])
    this.#topicOf = memoByTopic((routed) => (regex.matches(routed) ? regex.replaceFirst(routed, replacement) : routed))
  }

  #compile(event: Schema) {
    const after = requiredField(event, 'after', purpose)
    const row = after.schema
    const settings = this.#settings
    const column = (name: string): Column => {
      const field = requiredField(row, name, purpose)
      return { schema: field.schema, read: fieldReader(field, true) }
    }
    const optionalColumn = (name: string | undefined): Column | undefined =>
      name === undefined ? undefined : column(name)
    const ignores = settings['table.field.additional.missing'] === 'ignore'
    const placed = this.#placements
      .filter(({ field }) => !ignores || fieldOf(row, field) !== undefined)
      .map((placement) => ({ ...placement, ...column(placement.field) }))
    const envelopeOf = (payload: Schema, routed: string, version: number | undefined): Schema => ({
      ...structOf(
        [
          { name: 'payload', schema: payload },
          ...placed.filter(({ place }) => place === 'envelope').map(({ alias, schema }) => ({ name: alias, schema })),
        ],
        purpose,
      ),
      name: envelopeName(row.name, routed),
      ...(version === undefined ? {} : { version }),
    })
    return {
      row,
      readAfter: fieldReader(after, true),
      readTime: fieldReader({ name: 'ts_ms', schema: schemas.int64({ optional: true }) }, true),
      id: column(settings['table.field.event.id']),
      key: column(settings['table.field.event.key']),
      payload: column(settings['table.field.event.payload']),
      routed: column(settings['route.by.field']),
      time: optionalColumn(settings['table.field.event.timestamp']),
      version: optionalColumn(settings['table.field.event.schema.version']),
      placed,
      // A schema is the same object for all records that have it.
      envelopes: perSchema((payload) => remembered((routed, version) => envelopeOf(payload, routed, version))),
    }
  }

  apply<R extends ConnectRecord>(record: R): R | null {
    if (record.value === null || record.value === undefined) return null
    const { valueSchema } = record
    if (!isEnvelope(valueSchema)) return record
    const event = requireStruct(record.value, valueSchema, purpose)
    if (event['op'] === 'd') return null
    if (event['op'] === 'u') return this.#refuseUpdate()
    const compiled = this.#ofEvent(valueSchema)
    const row = requireStruct(compiled.readAfter(event), compiled.row, purpose)
    const headers: Header[] = [...(record.headers ?? [])]
    headers.push({ key: 'id', value: compiled.id.read(row), schema: compiled.id.schema })
    const payload = this.#payload(compiled.payload.schema, compiled.payload.read(row))
    const routed = compiled.routed.read(row)
    if (typeof routed !== 'string') throw new DataError(`${purpose}: what tells the topic is no text`)
    const more: NewStruct = {}
    let partition: number | undefined
    for (const { place, alias, schema, read } of compiled.placed) {
      const value = read(row)
      if (place === 'header') headers.push({ key: alias, value, schema })
      else if (place === 'envelope') setProperty(more, alias, value)
      else partition = partitionOf(value, schema)
    }
    let { schema, value } = payload
    if (this.#hasEnvelope) {
      const version = compiled.version?.read(row)
      schema = compiled.envelopes(schema)(routed, version as number | undefined)
      value = { payload: value, ...more }
    }
    const isEmpty = payload.value === null || (typeof payload.value === 'string' && payload.value.trim() === '')
    const isTombstone = isEmpty && this.#settings['route.tombstone.on.empty.payload']
    return changed(record, {
      topic: this.#topicOf(routed),
      partition,
      key: compiled.key.read(row),
      keySchema: compiled.key.schema,
      value: isTombstone ? null : value,
      valueSchema: isTombstone ? undefined : schema,
      timestamp: timestampOf(compiled.time, row) ?? (compiled.readTime(event) as number | null) ?? undefined,
      headers,
    })
  }

  #refuseUpdate(): null {
    const { 'table.op.invalid.behavior': behavior } = this.#settings
    if (behavior === 'fatal') throw new DataError(`${purpose}: an update in an outbox table`)
    this.#log[behavior]('an update in an outbox table is passed over')
    return null
  }

  #payload(schema: Schema, value: unknown): { readonly schema: Schema; readonly value: unknown } {
    if (!this.#settings['table.expand.json.payload'] || value === null) return { schema, value }
    if (typeof value !== 'string') {
      this.#log.warn('a payload that is to be expanded is no text')
      return { schema, value }
    }
    try {
      const expanded = expandJson(value, this.#expand)
      return { schema: this.#expandedSchema(expanded.schema), value: expanded.value }
    } catch (error) {
      this.#log.warn('a payload cannot be expanded', { error: (error as Error).message })
      return { schema, value }
    }
  }
}

/** The first of those that are equal: converters know a schema that they have met by its identity. Bounded, as any text may come. */
function canonicalSchemas(): (schema: Schema) => Schema {
  const known = new Map<string, Schema>()
  return (schema) => {
    const text = JSON.stringify(schema)
    const same = known.get(text)
    if (same !== undefined) return same
    if (known.size >= 1000) known.clear()
    known.set(text, schema)
    return schema
  }
}

/** Remembers by the two; bounded, since any text may stand in a table. */
function remembered(make: (routed: string, version: number | undefined) => Schema) {
  const known = new Map<string, Schema>()
  return (routed: string, version: number | undefined): Schema => {
    const name = `${version ?? ''} ${routed}`
    let schema = known.get(name)
    if (schema === undefined) {
      schema = make(routed, version)
      if (known.size >= 1000) known.clear()
      known.set(name, schema)
    }
    return schema
  }
}

/** The topic before the last part of the name of the row's schema. */
function envelopeName(row: string | undefined, routed: string): string {
  if (row === undefined) return routed
  const dot = row.lastIndexOf('.') + 1
  return `${row.slice(0, dot)}${routed}.${row.slice(dot)}`
}

function partitionOf(value: unknown, schema: Schema): number | undefined {
  if (schema.type !== 'int32') throw new DataError(`${purpose}: a partition is int32, not ${schema.type}`)
  return value === null ? undefined : (value as number)
}

const divisors: Readonly<Record<string, bigint>> = {
  'io.debezium.time.Timestamp': 1n,
  'io.debezium.time.MicroTimestamp': 1_000n,
  'io.debezium.time.NanoTimestamp': 1_000_000n,
}

/** Milliseconds; null where the column is. @throws DataError for other types */
function timestampOf(column: Column | undefined, row: Struct): number | null {
  if (column === undefined) return null
  const { schema, read } = column
  if (schema.type !== 'int64') throw new DataError(`${purpose}: a timestamp is no ${schema.type}`)
  const time = read(row) as number | bigint | null
  if (time === null) return null
  const divisor = divisors[schema.name ?? '']
  if (divisor === undefined) throw new DataError(`${purpose}: ${schema.name ?? schema.type} is no timestamp`)
  return Number(BigInt(time) / divisor)
}
