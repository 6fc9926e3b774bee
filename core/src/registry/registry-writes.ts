/**
 * What the leader decides: from the state as of now, what is to be written for a request, and what it is answered. Nothing
 * is changed here; the state changes when the records have been read back.
 */
import { checkCompatibility } from './compatibility.ts'
import type { ConfigScope, EffectiveConfig } from './config-scope.ts'
import {
  contextOf,
  contextPrefix,
  defaultContext,
  globalContext,
  isContextName,
  isGlobalContextName,
  parseSubject,
} from './qualified-subject.ts'
import { errors } from './registry-error.ts'
import type { RegistryState } from './registry-state.ts'
import type { ConfigRequest, Mode, SchemaRequest } from './request-body.ts'
import { contentGuid, type SchemaContent, type SchemaEntity } from './schema-entity.ts'
import type { CanonicalSchema, SchemaLookup } from './schema-lookup.ts'
import type { SchemaParser } from './schema-parser.ts'
import {
  clearSubjectRecord,
  configRecord,
  contextRecord,
  deleteSubjectRecord,
  modeRecord,
  schemaRecord,
  schemaTombstone,
  type ConfigValue,
  type LogRecord,
} from './schema-records.ts'

/** Of ids and versions, in records and for clients. */
const MAX_INT32 = 2 ** 31 - 1

export interface Decision<T> {
  /** Go into the log together, or not at all. */
  readonly records: readonly LogRecord[]
  readonly answer: T
}

export interface RegisterOptions {
  readonly normalize: boolean
  /** Whatever the compatibility level says. */
  readonly force: boolean
}

/** What came of a registration: what was asked for, and where it is now. */
export type Registered = SchemaContent & Pick<SchemaEntity, 'id' | 'version' | 'guid' | 'subject'>

export interface RegistryWritesOptions {
  readonly state: RegistryState
  readonly scope: ConfigScope
  readonly parser: SchemaParser
  readonly lookup: SchemaLookup
  /** `mode.mutability` */
  readonly modesMayChange: boolean
}

export class RegistryWrites {
  readonly #state: RegistryState
  readonly #scope: ConfigScope
  readonly #parser: SchemaParser
  readonly #lookup: SchemaLookup
  readonly #modesMayChange: boolean

  constructor({ state, scope, parser, lookup, modesMayChange }: RegistryWritesOptions) {
    this.#state = state
    this.#scope = scope
    this.#parser = parser
    this.#lookup = lookup
    this.#modesMayChange = modesMayChange
  }

  register(subject: string, given: SchemaRequest, { normalize, force }: RegisterOptions): Decision<Registered> {
    this.#checkMode(subject, given.id)
    const live = this.#state.versions(subject, 'live').toReversed()
    const nextVersion = (this.#state.versions(subject, 'all').at(-1)?.version ?? 0) + 1
    const config = this.#scope.inScope(subject)
    const mode = this.#scope.modeInScope(subject)
    const isImport = mode === 'IMPORT' || mode === 'FORWARD'
    const request = isImport ? given : this.#filledIn(config, given, live[0], nextVersion)
    const schema = this.#lookup.canonical(subject, request, { normalize, isNew: given.id < 0 })

    const existing = this.#existing(subject, schema, request, live)
    if (existing !== undefined) return { records: [], answer: registered(schema.content, existing) }
    if (!isImport && !force) this.#requireCompatible(subject, config, schema, live)
    const version = request.version <= 0 ? nextVersion : request.version
    if (version > MAX_INT32) throw errors.invalidVersion(version)
    if (version !== nextVersion && !isImport) {
      throw errors.invalidSchema('Version is not one more than previous version')
    }
    return this.#newVersion(subject, schema.content, version, request.id)
  }

  deleteVersion(subject: string, version: number, permanent: boolean): Decision<number> {
    const found = version === -1 ? this.#state.latest(subject) : this.#state.version(subject, version)
    if (found === undefined) {
      throw this.#state.hasSubjects(subject, 'all') ? errors.versionNotFound(version) : errors.subjectNotFound(subject)
    }
    if (!permanent && found.deleted) throw errors.versionSoftDeleted(subject, found.version)
    this.#requireWritable(subject)
    if (this.#state.referrers(subject, found.version, permanent ? 'all' : 'live').length > 0) {
      throw errors.referenceExists(subject, found.version)
    }
    if (!permanent) return { records: [schemaRecord({ ...found, deleted: true })], answer: found.version }
    if (!found.deleted) throw errors.versionNotSoftDeleted(subject, found.version)
    const isLast = this.#state.versions(subject, 'all').length === 1
    const records = [schemaTombstone(subject, found.version), ...(isLast ? this.#forgetSettings(subject) : [])]
    return { records, answer: found.version }
  }

  deleteSubject(subject: string, permanent: boolean): Decision<readonly number[]> {
    // Not by whether there is the subject: a name without one would stand for all of its context.
    if (this.#state.versions(subject, 'all').length === 0) throw errors.subjectNotFound(subject)
    if (!permanent && this.#state.versions(subject, 'live').length === 0) throw errors.subjectSoftDeleted(subject)
    this.#requireWritable(subject)
    const versions = this.#state.versions(subject, permanent ? 'all' : 'live')
    for (const { version, deleted } of versions) {
      const referrers = this.#state.referrers(subject, version, permanent ? 'all' : 'live')
      // Those within go together.
      if (referrers.some((referrer) => referrer.subject !== subject)) throw errors.referenceExists(subject, version)
      if (permanent && !deleted) throw errors.subjectNotSoftDeleted(subject)
    }
    const numbers = versions.map(({ version }) => version)
    if (!permanent) {
      // Up to the highest of all: after compaction this record stands for those before it too.
      const upTo = this.#state.versions(subject, 'all').at(-1)!.version
      return { records: [deleteSubjectRecord(subject, upTo)], answer: numbers }
    }
    const tombstones = numbers.toReversed().map((version) => schemaTombstone(subject, version))
    return { records: [...tombstones, ...this.#forgetSettings(subject)], answer: numbers }
  }

  /** @param name a subject, a context, or null: for all */
  putConfig(name: string | null, request: ConfigRequest): Decision<ConfigValue> {
    this.#requireWritable(name)
    const changed = { ...this.#state.ownConfig(name), ...request }
    const config: ConfigValue = Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== null))
    return { records: [configRecord(name, config)], answer: config }
  }

  deleteConfig(name: string | null): Decision<EffectiveConfig> {
    const config = this.#scope.own(name)
    if (config === undefined) throw errors.subjectNotFound(name)
    this.#requireWritable(name)
    return { records: [configRecord(name, null)], answer: config }
  }

  /** @param mode null: what holds for more than this one shall hold again */
  putMode(name: string | null, mode: Mode | null, force: boolean): Decision<Mode | null> {
    if (mode === 'FORWARD' && (name === null || !isGlobalContextName(name))) {
      throw errors.invalidMode('Forward mode only supported on global level')
    }
    this.#requireMutableModes()
    const entersImport = mode === 'IMPORT' && this.#scope.modeInScope(name) !== 'IMPORT' && !force
    const cleared = entersImport ? this.#cleared(name) : []
    return { records: [...cleared, modeRecord(name, mode)], answer: mode }
  }

  /** @param recursive of a context: also the modes of its subjects */
  deleteMode(name: string | null, recursive: boolean): Decision<Mode | null> {
    const mode = this.#scope.ownMode(name)
    if (mode === undefined && !recursive) throw errors.subjectNotFound(name)
    this.#requireMutableModes()
    const within = recursive && (name === null || isContextName(name)) ? this.#modesWithin(name) : []
    return { records: [name, ...within].map((each) => modeRecord(each, null)), answer: mode ?? null }
  }

  /** @param name `:.ctx:` */
  deleteContext(name: string): Decision<null> {
    if (this.#state.hasSubjects(name, 'all')) throw errors.contextNotEmpty(name)
    return { records: [contextRecord(contextOf(name), false)], answer: null }
  }

  #checkMode(subject: string, id: number): void {
    this.#requireWritable(subject)
    const mode = this.#scope.modeInScope(subject)
    const isImport = mode === 'IMPORT' || mode === 'FORWARD'
    if (id >= 0 ? isImport : mode === 'READWRITE') return
    throw errors.notPermitted(`${inContext(subject)} is not in ${id >= 0 ? 'import' : 'read-write'} mode`)
  }

  #requireWritable(name: string | null): void {
    const mode = this.#scope.modeInScope(name)
    if (mode !== 'READONLY' && mode !== 'READONLY_OVERRIDE') return
    throw errors.notPermitted(`${inContext(name)} is in read-only mode`)
  }

  #requireMutableModes(): void {
    if (!this.#modesMayChange) throw errors.notPermitted('Mode changes are not allowed')
  }

  /** A request with no text is about the latest version's: its metadata or its rules are to change. */
  #filledIn(
    config: EffectiveConfig,
    given: SchemaRequest,
    latest: SchemaEntity | undefined,
    nextVersion: number,
  ): SchemaRequest {
    const isEmpty = (given.schema ?? '').trim() === ''
    const text = isEmpty && latest !== undefined ? textOf(latest) : undefined
    return this.#lookup.completed(config, { ...given, ...text }, latest, nextVersion)
  }

  #existing(
    subject: string,
    schema: CanonicalSchema,
    { id, version }: SchemaRequest,
    live: readonly SchemaEntity[],
  ): SchemaEntity | undefined {
    if (version !== 0) return undefined
    const knownId = this.#state.idOf(schema.content, contextOf(subject))
    const known = knownId === undefined ? undefined : this.#state.versionWithId(subject, knownId)
    if (known !== undefined && !known.deleted && (id < 0 || id === known.id)) return known
    const wanted = id < 0 ? live : live.filter((each) => each.id === id)
    return this.#lookup.same(schema, wanted)
  }

  #requireCompatible(
    subject: string,
    config: EffectiveConfig,
    { content, parsed }: CanonicalSchema,
    live: readonly SchemaEntity[],
  ): void {
    const parse = (version: SchemaEntity) => this.#parser.parse(version, { subject, isNew: false })
    const next = { parsed, metadata: content.metadata }
    const messages = checkCompatibility(config, next, live.toReversed(), parse)
    if (messages.length > 0) throw errors.incompatibleSchema(subject, messages)
  }

  #newVersion(subject: string, content: SchemaContent, version: number, wantedId: number): Decision<Registered> {
    const context = contextOf(subject)
    const id = this.#idFor(content, context, wantedId)
    const value = { ...content, subject, version, id, deleted: false }
    const isNewContext = context !== defaultContext && !this.#state.contexts().includes(context)
    const obsolete = this.#state.versions(subject, 'deleted').filter((each) => {
      const isReferred = this.#state.referrers(subject, each.version, 'all').length > 0
      return each.id === id && each.version < version && !isReferred
    })
    const records = [
      ...(isNewContext ? [contextRecord(context, true)] : []),
      ...obsolete.map((each) => schemaTombstone(subject, each.version)),
      schemaRecord(value),
    ]
    return { records, answer: registered(content, value) }
  }

  /** The one that the content has in the context already, the one that is asked for, or the next. */
  #idFor(content: SchemaContent, context: string, wanted: number): number {
    const known = this.#state.idOf(content, context)
    if (wanted < 0) {
      if (known !== undefined) return known
      const next = this.#state.maxId(context) + 1
      if (next > MAX_INT32) throw errors.storeFailed(`There are no ids left in the context ${context}`)
      return next
    }
    const [holder] = this.#state.withId(wanted, context, 'all')
    if (holder !== undefined && holder.guid !== contentGuid(content)) {
      throw errors.notPermitted(
        `Overwrite new schema with id ${wanted} in context ${contextPrefix(context)} is not permitted.`,
      )
    }
    return wanted
  }

  /** For IMPORT there must be nothing left that has an id. */
  #cleared(name: string | null): readonly LogRecord[] {
    if (this.#state.hasSubjects(name, 'live')) {
      throw errors.notPermitted('Cannot import since found existing subjects')
    }
    const versions = [...this.#state.subjectsOf(name, 'all')].flatMap((each) => this.#state.versions(each, 'all'))
    for (const { subject, version } of versions) {
      if (this.#state.referrers(subject, version, 'all').length > 0) throw errors.referenceExists(subject, version)
    }
    return [...versions.map(({ subject, version }) => schemaTombstone(subject, version)), clearSubjectRecord(name)]
  }

  #modesWithin(name: string | null): readonly string[] {
    const { context } = parseSubject(name ?? '')
    return this.#state
      .namesWithMode()
      .filter((each) => each !== name && (context === globalContext || contextOf(each) === context))
  }

  #forgetSettings(subject: string): readonly LogRecord[] {
    // The settings under a name without a subject hold for its whole context.
    if (isContextName(subject)) return []
    return [
      ...(this.#state.ownMode(subject) === undefined ? [] : [modeRecord(subject, null)]),
      ...(this.#state.ownConfig(subject) === undefined ? [] : [configRecord(subject, null)]),
    ]
  }
}

function textOf({
  schema,
  schemaType,
  references,
}: SchemaEntity): Pick<SchemaContent, 'schema' | 'schemaType' | 'references'> {
  return { schema, schemaType, references }
}

function registered(
  content: SchemaContent,
  { subject, id, version }: Pick<SchemaEntity, 'subject' | 'id' | 'version'>,
) {
  return { ...content, subject, id, version, guid: contentGuid(content) }
}

function inContext(name: string | null): string {
  return `Subject ${name ?? 'null'} in context ${name === null ? '' : contextPrefix(contextOf(name))}`
}
