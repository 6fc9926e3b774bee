/**
 * What the records of `_schemas` say, in the order in which they stand there: all registries that have read as far hold
 * the same. Nothing here decides anything, and nothing is written.
 */
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import {
  contextOf,
  contextPrefix,
  defaultContext,
  everyContext,
  globalContext,
  parseSubject,
  resolveSubject,
} from './qualified-subject.ts'
import type { Mode } from './request-body.ts'
import { asUuid, contentGuid, type SchemaContent, type SchemaEntity } from './schema-entity.ts'
import {
  parseRecord,
  type ConfigValue,
  type LogRecord,
  type RegistryRecord,
  type SchemaValue,
} from './schema-records.ts'

/** Which versions are meant, by whether they are (softly) deleted. */
export type Which = 'live' | 'all' | 'deleted'

export interface ContextId {
  readonly context: string
  readonly id: number
}

interface ContextIndex {
  /** By id: which version of each subject has it. */
  readonly subjects: Map<number, Map<string, number>>
  /** Content that was imported under several ids has all of them. */
  readonly idsByGuid: Map<string, Set<number>>
  maxId: number
}

/** Has every version of a subject, by number, also those that are softly deleted. */
type Versions = Map<number, SchemaEntity>

export class RegistryState {
  readonly #logger: Logger
  readonly #subjects = new Map<string, Versions>()
  readonly #contexts = new Map<string, ContextIndex>()
  /** As records say; the default one is in none. */
  readonly #contextNames = new Set<string>()
  /** By subject; the empty name stands for all. */
  readonly #configs = new Map<string, ConfigValue>()
  readonly #modes = new Map<string, Mode>()
  /** By what is referred to: all versions that refer to it. */
  readonly #referrers = new Map<string, Set<SchemaEntity>>()
  #sortedSubjects: readonly string[] | undefined

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** Never throws: what makes no sense is passed over, as all who read the topic pass over it. */
  apply(record: LogRecord, timestamp: number | undefined): void {
    try {
      this.#carryOut(parseRecord(record), timestamp)
    } catch (error) {
      this.#logger.error('a record of the schema topic makes no sense and is passed over', {
        key: record.key.slice(0, 1000),
        error: messageOf(error),
      })
    }
  }

  /**
   * Applies records as if they had been read, so that a decision can build on one that is not in the log yet.
   * @returns what takes all of it back, save that ids are not given again; undefined where nothing was applied, since they
   *   are records of another kind than new versions are made of
   */
  tentatively(records: readonly LogRecord[]): (() => void) | undefined {
    const parsed = records.map(parseRecord)
    if (!parsed.every(({ kind }) => kind === 'SCHEMA' || kind === 'CONTEXT')) return undefined
    const back: (() => void)[] = []
    const takeAllBack = (): void => {
      for (const takeBack of back.reverse()) takeBack()
    }
    try {
      for (const record of parsed) {
        const takeBack = this.#restorerOf(record)
        this.#carryOut(record, undefined)
        back.push(takeBack)
      }
    } catch (error) {
      takeAllBack()
      throw error
    }
    return takeAllBack
  }

  version(subject: string, version: number): SchemaEntity | undefined {
    return this.#subjects.get(subject)?.get(version)
  }

  /** The live one with the highest number. */
  latest(subject: string): SchemaEntity | undefined {
    return this.versions(subject, 'live').at(-1)
  }

  /** By number. */
  versions(subject: string, which: Which): readonly SchemaEntity[] {
    const found = [...(this.#subjects.get(subject)?.values() ?? [])].filter((each) => isMeant(each.deleted, which))
    return found.sort((one, other) => one.version - other.version)
  }

  /** Sorted. */
  subjects(prefix: string, which: Which): readonly string[] {
    const matches = prefixMatcher(prefix)
    this.#sortedSubjects ??= [...this.#subjects.keys()].sort()
    return this.#sortedSubjects.filter((subject) => matches(subject) && isMeant(this.#isDeleted(subject), which))
  }

  /** @param name a subject; or a context, for any subject in it; null: any at all in any context */
  hasSubjects(name: string | null, which: Which): boolean {
    return this.subjectsOf(name, which).next().done !== true
  }

  *subjectsOf(name: string | null, which: Which): Generator<string> {
    const { context, subject } = parseSubject(name ?? '')
    const isAll = name === null || context === globalContext
    if (subject !== '') {
      if (this.#has(name!, which)) yield name!
      return
    }
    for (const each of this.#subjects.keys()) {
      if ((isAll || contextOf(each) === context) && this.#has(each, which)) yield each
    }
  }

  /** Without the default one. */
  contexts(): readonly string[] {
    return [...this.#contextNames].sort()
  }

  /**
   * The version with this id.
   * @param name a subject that must have it, else it is looked for in the subject of that name in all contexts; or a
   *   context; the default one where none is given
   */
  byId(id: number, name: string | undefined): SchemaEntity | undefined {
    const { context, subject } = parseSubject(name ?? '')
    if (subject === '') return this.#anyWithId(id, context)
    const found = this.#withId(id, context, name!)
    if (found !== undefined || context !== defaultContext) return found
    for (const each of this.#contextNames) {
      const other = this.#withId(id, each, contextPrefix(each) + subject)
      if (other !== undefined) return other
    }
    return this.#anyWithId(id, defaultContext)
  }

  /** In all contexts, the default one first. */
  byGuid(guid: string): readonly ContextId[] {
    const contexts = [defaultContext, ...this.contexts()]
    return contexts.flatMap((context) => {
      const id = lowest(this.#contexts.get(context)?.idsByGuid.get(guid))
      return id === undefined ? [] : [{ context, id }]
    })
  }

  /** Which version of which subject in this context has the id. */
  withId(id: number, context: string, which: Which): readonly SchemaEntity[] {
    const found = this.#contexts.get(context)?.subjects.get(id) ?? new Map<string, number>()
    return [...found].flatMap(([subject, number]) => {
      const version = this.version(subject, number)
      return version !== undefined && isMeant(version.deleted, which) ? [version] : []
    })
  }

  /** The id that this content has in the context. */
  idOf(content: Omit<SchemaContent, 'schemaType'>, context: string): number | undefined {
    return lowest(this.#contexts.get(context)?.idsByGuid.get(contentGuid(content)))
  }

  /** The version of the subject that has this id, the live one if there is one. */
  versionWithId(subject: string, id: number): SchemaEntity | undefined {
    return this.#withId(id, contextOf(subject), subject)
  }

  /** Of what has been seen in the context; 0 where there is none. */
  maxId(context: string): number {
    return this.#contexts.get(context)?.maxId ?? 0
  }

  /** The versions that refer to this one. */
  referrers(subject: string, version: number, which: Which): readonly SchemaEntity[] {
    const found = this.#referrers.get(referenceKey(subject, version)) ?? []
    return [...found].filter(({ deleted }) => isMeant(deleted, which))
  }

  /** What is said of just this one. */
  ownConfig(name: string | null): ConfigValue | undefined {
    return this.#configs.get(name ?? '')
  }

  ownMode(name: string | null): Mode | undefined {
    return this.#modes.get(name ?? '')
  }

  /** Subjects and contexts. */
  namesWithMode(): readonly string[] {
    return [...this.#modes.keys()].filter((name) => name !== '')
  }

  /** All that have an alias; by the name they stand for. */
  *aliases(): Generator<{ readonly subject: string; readonly alias: string }> {
    for (const [subject, { alias }] of this.#configs) if (alias !== undefined && alias !== '') yield { subject, alias }
  }

  #restorerOf(record: RegistryRecord): () => void {
    if (record.kind === 'CONTEXT') {
      const { context } = record
      const names = this.#contextNames
      return names.has(context) ? () => names.add(context) : () => names.delete(context)
    }
    if (record.kind !== 'SCHEMA') return () => undefined
    const { subject, version } = record
    const before = this.version(subject, version)
    return before === undefined ? () => this.#remove(subject, version) : () => this.#replace(before)
  }

  #carryOut(record: RegistryRecord, timestamp: number | undefined): void {
    switch (record.kind) {
      case 'SCHEMA':
        if (record.value === null) this.#remove(record.subject, record.version)
        else this.#put(record.value, timestamp)
        return
      case 'CONFIG':
        setOrDelete(this.#configs, record.subject ?? '', record.value)
        return
      case 'MODE':
        setOrDelete(this.#modes, record.subject ?? '', record.value)
        return
      case 'DELETE_SUBJECT':
        for (const version of this.versions(record.subject, 'live')) {
          if (version.version <= record.upTo) this.#replace({ ...version, deleted: true })
        }
        return
      case 'CLEAR_SUBJECT':
        for (const subject of [...this.subjectsOf(record.subject, 'all')]) {
          for (const { version } of this.versions(subject, 'deleted')) this.#remove(subject, version)
        }
        return
      case 'CONTEXT':
        if (record.context !== defaultContext && record.exists) this.#contextNames.add(record.context)
        else this.#contextNames.delete(record.context)
        return
      case 'OTHER':
    }
  }

  #put(value: SchemaValue, timestamp: number | undefined): void {
    const { md5, ...content } = value
    const context = contextOf(value.subject)
    const known = this.#anyWithId(value.id, context)
    if (known !== undefined && known.schema !== value.schema) {
      throw new Error(`another schema of the context ${context} has the id ${value.id}`)
    }
    const guid = md5 === undefined ? contentGuid(content) : asUuid(Buffer.from(md5, 'base64').toString('hex'))
    // The same text is kept once, however many subjects have it.
    this.#replace({ ...content, schema: known?.schema ?? content.schema, guid, timestamp })
  }

  #replace(version: SchemaEntity): void {
    const { subject, id, guid } = version
    let versions = this.#subjects.get(subject)
    if (versions === undefined) {
      versions = new Map<number, SchemaEntity>()
      this.#subjects.set(subject, versions)
      this.#sortedSubjects = undefined
    }
    const before = versions.get(version.version)
    if (before !== undefined) this.#forget(before)
    versions.set(version.version, version)
    const index = this.#index(contextOf(subject))
    const holders = index.subjects.get(id) ?? new Map<string, number>()
    index.subjects.set(id, holders)
    // Nearly always the first with its id: a look at all the others each time would make the start of many quadratic.
    holders.set(subject, holders.has(subject) ? this.#best(versions, id)! : version.version)
    const ids = index.idsByGuid.get(guid) ?? new Set<number>()
    index.idsByGuid.set(guid, ids.add(id))
    index.maxId = Math.max(index.maxId, id)
    for (const key of referenceKeys(version)) {
      const referrers = this.#referrers.get(key) ?? new Set()
      this.#referrers.set(key, referrers.add(version))
    }
  }

  #remove(subject: string, number: number): void {
    const versions = this.#subjects.get(subject)
    const version = versions?.get(number)
    if (versions === undefined || version === undefined) return
    versions.delete(number)
    this.#forget(version)
    if (versions.size > 0) return
    this.#subjects.delete(subject)
    this.#sortedSubjects = undefined
  }

  /** Takes a version out of the indexes; `#subjects` may still have it. */
  #forget(version: SchemaEntity): void {
    const { subject, id, guid } = version
    for (const key of referenceKeys(version)) {
      const referrers = this.#referrers.get(key)
      if (referrers?.delete(version) === true && referrers.size === 0) this.#referrers.delete(key)
    }
    const index = this.#index(contextOf(subject))
    const holders = index.subjects.get(id)
    if (holders?.get(subject) !== version.version) return
    const versions = this.#subjects.get(subject)!
    const other = this.#best(versions, id, version)
    if (other !== undefined) {
      holders.set(subject, other)
      return
    }
    holders.delete(subject)
    if (holders.size > 0) return
    index.subjects.delete(id)
    const ids = index.idsByGuid.get(guid)
    if (ids?.delete(id) === true && ids.size === 0) index.idsByGuid.delete(guid)
  }

  /** Several versions of a subject may have one id, where all but one are deleted. */
  #best(versions: Versions, id: number, except?: SchemaEntity): number | undefined {
    let best: SchemaEntity | undefined
    for (const version of versions.values()) {
      if (version.id !== id || version === except) continue
      if (best === undefined || rank(version) > rank(best)) best = version
    }
    return best?.version
  }

  #index(context: string): ContextIndex {
    const known = this.#contexts.get(context)
    if (known !== undefined) return known
    const index: ContextIndex = { subjects: new Map(), idsByGuid: new Map(), maxId: 0 }
    this.#contexts.set(context, index)
    return index
  }

  #anyWithId(id: number, context: string): SchemaEntity | undefined {
    const found = this.#contexts.get(context)?.subjects.get(id)?.entries().next().value
    return found && this.version(found[0], found[1])
  }

  #withId(id: number, context: string, subject: string): SchemaEntity | undefined {
    const number = this.#contexts.get(context)?.subjects.get(id)?.get(subject)
    return number === undefined ? undefined : this.version(subject, number)
  }

  #has(subject: string, which: Which): boolean {
    return this.#subjects.has(subject) && isMeant(this.#isDeleted(subject), which)
  }

  /** All of its versions are. */
  #isDeleted(subject: string): boolean {
    for (const { deleted } of this.#subjects.get(subject)?.values() ?? []) if (!deleted) return false
    return true
  }
}

function isMeant(deleted: boolean, which: Which): boolean {
  return which === 'all' || deleted === (which === 'deleted')
}

/** Whatever the order in which they came. */
function lowest(ids: ReadonlySet<number> | undefined): number | undefined {
  return ids === undefined ? undefined : Math.min(...ids)
}

const rank = ({ version, deleted }: SchemaEntity): number => (deleted ? 0 : 2 ** 32) + version

function setOrDelete<T>(map: Map<string, T>, key: string, value: T | null): void {
  if (value === null) map.delete(key)
  else map.set(key, value)
}

function referenceKeys({ subject, references }: SchemaEntity): Set<string> {
  return new Set(references.map((each) => referenceKey(resolveSubject(each.subject, subject), each.version)))
}

const referenceKey = (subject: string, version: number): string => `${version} ${subject}`

/** As subjects are listed: by the beginning of the name within a context, or (`:*:`) within every context. */
function prefixMatcher(prefix: string): (subject: string) => boolean {
  if (prefix.startsWith(everyContext)) {
    const start = prefix.slice(everyContext.length)
    return (subject) => parseSubject(subject).subject.startsWith(start)
  }
  // A context that is not ended yet may be the beginning of several.
  if (/^:\.[^:]*$/.test(prefix)) return (subject) => subject.startsWith(prefix)
  const { context, subject: start } = parseSubject(prefix)
  return (name) => {
    const { context: own, subject } = parseSubject(name)
    return own === context && subject.startsWith(start)
  }
}
