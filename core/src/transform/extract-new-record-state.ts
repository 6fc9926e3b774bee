import {
  ConfigError,
  DataError,
  changed,
  defineConfig,
  defineTransform,
  schema as schemas,
  type ConfigOf,
  type ConnectRecord,
  type Field,
  type Header,
  type Schema,
  type Transform,
} from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { fieldOf, isEnvelope, requiredField, withoutDefault } from './debezium-envelope.ts'
import { namesOf, replaceNullWithDefault, structOf } from './derived-schema.ts'
import {
  compileFieldCopies,
  compileStructCopy,
  fieldReader,
  perSchema,
  requireFields,
  requireStruct,
  type NewStruct,
  type Struct,
} from './struct-values.ts'

const purpose = 'ExtractNewRecordState'
const references = '`op`, `source.ts_ms`, `lsn` (of the source) or `version:as` for another name.'

const config = defineConfig({
  'delete.tombstone.handling.mode': {
    type: 'string',
    enum: ['drop', 'tombstone', 'rewrite', 'rewrite-with-tombstone', 'delete-to-tombstone'],
    default: 'tombstone',
    doc:
      'What becomes of a delete and of the tombstone after it. `drop`: nothing of either. `tombstone`: the delete is a ' +
      'tombstone with the schema of the row. `rewrite`: the delete is its row with `__deleted` = true, as others have false; ' +
      '`rewrite-with-tombstone`: and the tombstone stays. `delete-to-tombstone`: the delete is a tombstone without a schema.',
  },
  'route.by.field': {
    type: 'string',
    default: '',
    importance: 'low',
    doc: 'The column whose value is the topic that the record goes to.',
  },
  'add.fields.prefix': { type: 'string', default: '__', importance: 'low', doc: 'Before the names of `add.fields`.' },
  'add.fields': {
    type: 'list',
    default: [],
    importance: 'low',
    doc: `Fields of the event that are added to the row: ${references}`,
  },
  'add.headers.prefix': { type: 'string', default: '__', importance: 'low', doc: 'Before the names of `add.headers`.' },
  'add.headers': {
    type: 'list',
    default: [],
    importance: 'low',
    doc: `Fields of the event that become headers: ${references}`,
  },
  'drop.fields.header.name': {
    type: 'string',
    importance: 'low',
    doc: 'The header that lists fields which are taken out of the row.',
  },
  'drop.fields.from.key': {
    type: 'boolean',
    default: false,
    importance: 'low',
    doc: 'Whether they are taken out of the key too.',
  },
  'drop.fields.keep.schema.compatible': {
    type: 'boolean',
    default: true,
    importance: 'low',
    doc: 'Whether only optional fields are taken out, so that the schema stays compatible.',
  },
  ...replaceNullWithDefault,
})

type Config = ConfigOf<typeof config>

export const extractNewRecordState = defineTransform({
  name: 'extract-new-record-state',
  aliases: ['io.debezium.transforms.ExtractNewRecordState'],
  doc: 'Makes of a change event the row as it is after the change. What is no change event passes.',
  config,
  check(settings): Record<string, string> {
    const problems: Record<string, string> = {}
    for (const setting of ['add.fields', 'add.headers'] as const) {
      const wrong = settings[setting].find((each) => each.split(':').length > 2)
      if (wrong !== undefined) problems[setting] = `${wrong} is neither a field nor field:name`
    }
    return problems
  },
  create: (settings) => new ExtractNewRecordState(settings),
})

/** A field of the event that is added to the row or the headers. */
interface Reference {
  /** `source` or `transaction`; undefined for the event itself. */
  readonly struct: string | undefined
  readonly field: string
  readonly to: string
}

const transactionFields: ReadonlySet<string> = new Set(['id', 'data_collection_order', 'total_order'])
const ownFields: ReadonlySet<string> = new Set(['op', 'ts_ms', 'ts_us', 'ts_ns'])

/** @throws ConfigError */
function parseReference(prefix: string, text: string): Reference {
  const [path = '', name, ...more] = text.split(':')
  if (more.length > 0) throw new ConfigError(`${text} is neither a field nor field:name`)
  const [first = '', second] = path.trim().split('.')
  if (second !== undefined) return { struct: first, field: second, to: prefix + (name ?? `${first}_${second}`) }
  return { struct: structOfField(first), field: first, to: prefix + (name ?? first) }
}

function structOfField(field: string): string | undefined {
  if (ownFields.has(field)) return undefined
  if (field === 'updateDescription') return field
  return transactionFields.has(field) ? 'transaction' : 'source'
}

/** A reference in events of one schema. */
interface Added {
  readonly to: string
  readonly schema: Schema
  readonly read: (event: Struct) => unknown
}

function compileAdded(event: Schema, references: readonly Reference[]): readonly Added[] {
  return references.flatMap(({ struct, field, to }) => {
    const parent = struct === undefined ? event : requiredField(event, struct, purpose).schema
    const own = fieldOf(parent, field)
    const found = own ?? fieldOf(event, field)
    if (found === undefined) return []
    const schema: Schema = { ...withoutDefault(found.schema), optional: true }
    const isWithin = struct !== undefined && fieldOf(event, field) === undefined
    const readParent = fieldReader({ name: struct ?? field, schema: event }, false)
    const readField = fieldReader({ name: field, schema: event }, false)
    const isRoot = struct === undefined || (own === undefined && !isWithin)
    const read = (value: Struct): unknown => {
      if (isRoot) return readField(value)
      const parentValue = readParent(value)
      return parentValue === null ? null : readField(parentValue as Struct)
    }
    return [{ to, schema, read }]
  })
}

interface Row {
  readonly schema: Schema
  readonly read: (event: Struct) => unknown
}

/** What is made of events of one schema. */
interface Compiled {
  readonly after: Row
  readonly before: (event: Schema) => Row
  readonly headers: readonly Added[]
  readonly rowOf: (row: Schema) => {
    readonly to: Schema
    readonly copy: (row: Struct) => NewStruct
    readonly added: readonly Added[]
  }
}

class ExtractNewRecordState implements Transform {
  readonly #settings: Config
  readonly #fields: readonly Reference[]
  readonly #isRewrite: boolean
  readonly #ofEvent
  readonly #headers: readonly Reference[]
  readonly #drops = new Map<string, ReturnType<typeof dropper>>()

  constructor(settings: Config) {
    this.#settings = settings
    const { 'add.fields': fields, 'add.headers': headers } = settings
    this.#fields = fields.map((each) => parseReference(settings['add.fields.prefix'], each))
    this.#headers = headers.map((each) => parseReference(settings['add.headers.prefix'], each))
    this.#isRewrite = settings['delete.tombstone.handling.mode'].startsWith('rewrite')
    this.#ofEvent = perSchema((event) => this.#compile(event))
  }

  #compile(event: Schema): Compiled {
    const after = requiredField(event, 'after', purpose)
    return {
      after: { schema: after.schema, read: fieldReader(after, true) },
      before: perSchema(() => {
        const before = requiredField(event, 'before', purpose)
        return { schema: before.schema, read: fieldReader(before, true) }
      }),
      headers: compileAdded(event, this.#headers),
      rowOf: perSchema((row) => this.#compileRow(row, compileAdded(event, this.#fields))),
    }
  }

  /** The row with what is added to it. */
  #compileRow(row: Schema, added: readonly Added[]) {
    const fields = requireFields(row, purpose)
    const deleted: Field[] = this.#isRewrite ? [{ name: '__deleted', schema: schemas.string({ optional: true }) }] : []
    const more = added.map(({ to, schema }) => ({ name: to, schema }))
    const useDefault = this.#isRewrite && this.#settings['replace.null.with.default']
    return {
      to: structOf([...fields, ...deleted, ...more], purpose, row),
      copy: compileStructCopy(fields, useDefault, purpose),
      added,
    }
  }

  apply<R extends ConnectRecord>(record: R): R | null {
    const { 'delete.tombstone.handling.mode': mode } = this.#settings
    if (record.value === null || record.value === undefined) {
      if (mode !== 'rewrite-with-tombstone') return null
      const headers = this.#headers.filter(({ field }) => field === 'op').map(({ to }) => deleteHeader(to))
      return headers.length === 0 ? record : changed(record, { headers: [...(record.headers ?? []), ...headers] })
    }
    const { valueSchema } = record
    if (!isEnvelope(valueSchema)) return record
    const event = requireStruct(record.value, valueSchema, purpose)
    const compiled = this.#ofEvent(valueSchema)
    const added = compiled.headers.map(({ to, schema, read }) => ({ key: to, schema, value: read(event) }))
    const given = added.length === 0 ? record : changed(record, { headers: [...(record.headers ?? []), ...added] })
    const after = compiled.after.read(event)
    if (after !== null) {
      const { to, copy, added: fields } = compiled.rowOf(compiled.after.schema)
      const row = requireStruct(after, compiled.after.schema, purpose)
      const made = this.#filled(copy(row), fields, event, 'false')
      return this.#dropFields(
        changed(given, { value: made, valueSchema: to, ...this.#topic(row, compiled.after.schema) }),
      )
    }
    return this.#deleted(given, event, compiled)
  }

  #deleted<R extends ConnectRecord>(record: R, event: Struct, compiled: Compiled): R | null {
    const { 'delete.tombstone.handling.mode': mode } = this.#settings
    const { schema, read } = compiled.before(record.valueSchema!)
    const before = read(event)
    // A truncate.
    if (before === null || mode === 'drop') return null
    const row = requireStruct(before, schema, purpose)
    const topic = this.#topic(row, schema)
    if (mode === 'tombstone') {
      return this.#dropFields(changed(record, { value: null, valueSchema: compiled.after.schema, ...topic }))
    }
    if (mode === 'delete-to-tombstone') {
      return this.#dropFields(changed(record, { value: null, valueSchema: undefined, ...topic }))
    }
    const { to, copy, added } = compiled.rowOf(schema)
    const made = this.#filled(copy(row), added, event, 'true')
    return this.#dropFields(changed(record, { value: made, valueSchema: to, ...topic }))
  }

  #filled(made: NewStruct, added: readonly Added[], event: Struct, deleted: string): NewStruct {
    if (this.#isRewrite) made['__deleted'] = deleted
    for (const { to, read } of added) setProperty(made, to, read(event))
    return made
  }

  #topic(row: Struct, schema: Schema): { topic?: string } {
    const { 'route.by.field': name } = this.#settings
    if (name === '') return {}
    const field = requiredField(schema, name, purpose)
    if (field.schema.type !== 'string') throw new DataError(`${purpose}: field ${name}, a topic, is no text`)
    const topic = fieldReader(field, true)(row) as string | null
    return topic === null || topic.trim() === '' ? {} : { topic }
  }

  #dropFields<R extends ConnectRecord>(record: R): R {
    const { 'drop.fields.header.name': name, 'drop.fields.from.key': fromKey } = this.#settings
    if (name === undefined || name.trim() === '') return record
    const names = record.headers?.find(({ key }) => key === name)?.value ?? []
    if (!Array.isArray(names)) throw new DataError(`${purpose}: header ${name} is no list of fields`)
    if (names.length === 0) return record
    const drop = this.#dropper(names as string[])
    const value = drop(record.valueSchema, record.value)
    const key = fromKey ? drop(record.keySchema, record.key) : undefined
    return changed(record, {
      ...(value && { value: value.value, valueSchema: value.schema }),
      ...(key && { key: key.value, keySchema: key.schema }),
    })
  }

  #dropper(names: readonly string[]): ReturnType<typeof dropper> {
    const list = JSON.stringify(names)
    let drop = this.#drops.get(list)
    if (drop === undefined) {
      drop = dropper(new Set(names), this.#settings['drop.fields.keep.schema.compatible'])
      if (this.#drops.size >= 100) this.#drops.clear()
      this.#drops.set(list, drop)
    }
    return drop
  }
}

function deleteHeader(key: string): Header {
  return { key, value: 'd', schema: schemas.string() }
}

/** @returns undefined where nothing is taken out */
function dropper(names: ReadonlySet<string>, onlyOptional: boolean) {
  const bySchema = perSchema((schema) => {
    const fields = requireFields(schema, purpose)
    const rest = fields.filter(({ name, schema: of }) => !names.has(name) || (onlyOptional && of.optional !== true))
    if (rest.length === fields.length) return undefined
    const copies = rest.map((field) => ({ field, to: field.name }))
    return {
      to: { type: 'struct', ...namesOf(schema), fields: rest } as const,
      copy: compileFieldCopies(copies, true, purpose),
    }
  })
  return (schema: Schema | undefined, value: unknown): { schema: Schema; value: unknown } | undefined => {
    if (schema === undefined || value === null || value === undefined) return undefined
    const compiled = bySchema(schema)
    return compiled && { schema: compiled.to, value: compiled.copy(requireStruct(value, schema, purpose)) }
  }
}
