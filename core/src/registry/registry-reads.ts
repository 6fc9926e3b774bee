/** What can be asked of the registry without changing it. Which instance is asked makes no difference. */
import { checkInTurns } from './compatibility.ts'
import type { ConfigScope } from './config-scope.ts'
import { settled } from './large-schema.ts'
import {
  contextOf,
  contextPrefix,
  defaultContext,
  formatSubject,
  parseSubject,
  resolveSubject,
} from './qualified-subject.ts'
import { errors, RegistryError } from './registry-error.ts'
import type { ContextId, RegistryState, Which } from './registry-state.ts'
import type { SchemaRequest } from './request-body.ts'
import type { SchemaEntity } from './schema-entity.ts'
import type { LookupOptions, SchemaLookup } from './schema-lookup.ts'
import type { SchemaParser } from './schema-parser.ts'

/** How a version is to be shown. */
export interface ShownAs {
  /** Another text for the same schema; empty: as it is kept. */
  readonly format: string
  /** `qualified`: references with the context that they are in. */
  readonly referenceFormat?: string
}

/** A version in an answer. */
export type ShownSchema = Omit<SchemaEntity, 'references'> & Partial<Pick<SchemaEntity, 'references'>>

export interface SchemaFilter {
  readonly subjectPrefix: string
  readonly which: Which
  readonly latestOnly: boolean
  /** Only those with a rule of this type; empty: all. */
  readonly ruleType: string
  readonly aliases: boolean
}

export interface RegistryReadsOptions {
  readonly state: RegistryState
  readonly scope: ConfigScope
  readonly parser: SchemaParser
  readonly lookup: SchemaLookup
}

export class RegistryReads {
  readonly #state: RegistryState
  readonly #scope: ConfigScope
  readonly #parser: SchemaParser
  readonly #lookup: SchemaLookup

  constructor({ state, scope, parser, lookup }: RegistryReadsOptions) {
    this.#state = state
    this.#scope = scope
    this.#parser = parser
    this.#lookup = lookup
  }

  /**
   * @param version -1: the latest
   * @throws RegistryError 40401, 40402
   */
  version(subject: string, version: number, which: Which): SchemaEntity {
    for (const name of this.#everywhere(subject)) {
      const found = version === -1 ? this.#state.latest(name) : this.#state.version(name, version)
      if (found !== undefined && (which === 'all' || !found.deleted)) return found
    }
    throw this.#state.hasSubjects(subject, which) ? errors.versionNotFound(version) : errors.subjectNotFound(subject)
  }

  /** The latest version with these metadata properties. @throws RegistryError 40401, 40403 */
  latestWith(subject: string, properties: ReadonlyMap<string, string>, which: Which): SchemaEntity {
    const found = this.#state
      .versions(subject, which)
      .findLast(
        ({ metadata }) =>
          metadata !== undefined && [...properties].every(([name, value]) => metadata.properties?.[name] === value),
      )
    if (found !== undefined) return found
    throw this.#state.hasSubjects(subject, which) ? errors.schemaNotFound() : errors.subjectNotFound(subject)
  }

  /** The version that has the schema of the request. @throws RegistryError 40401, 40403, 42201; StillWorking */
  find(subject: string, request: SchemaRequest, options: LookupOptions): SchemaEntity {
    const normalize = this.#normalizes(subject, options.normalize)
    for (const name of this.#everywhere(subject)) {
      const found = this.#findIn(name, request, { ...options, normalize }, name === subject)
      if (found !== undefined) return found
    }
    const which = options.deleted ? 'all' : 'live'
    throw this.#state.hasSubjects(subject, which) ? errors.schemaNotFound() : errors.subjectNotFound(subject)
  }

  /**
   * The version that a registration would come to, where it needs none to be made: for that no leader is needed.
   * @throws RegistryError 42201; StillWorking
   */
  registered(subject: string, request: SchemaRequest, normalize: boolean): SchemaEntity | undefined {
    const { defaultMetadata, overrideMetadata, defaultRuleSet, overrideRuleSet } = this.#scope.inScope(subject)
    const adds = [defaultMetadata, overrideMetadata, defaultRuleSet, overrideRuleSet].some((each) => each !== undefined)
    // A number or an id that is asked for is for the leader to judge.
    if (adds || request.version !== 0 || request.id >= 0 || (request.schema ?? '').trim() === '') return undefined
    const options = { normalize: this.#normalizes(subject, normalize), isNew: false }
    const schema = this.#lookup.canonical(subject, request, options)
    const id = this.#state.idOf(schema.content, contextOf(subject))
    const known = id === undefined ? undefined : this.#state.versionWithId(subject, id)
    if (known !== undefined && !known.deleted) return known
    return this.#lookup.same(schema, this.#state.versions(subject, 'live').toReversed())
  }

  /**
   * Why the schema cannot follow these versions; empty: it can.
   * @throws RegistryError 42201
   */
  async compatibility(
    subject: string,
    request: SchemaRequest,
    versions: readonly SchemaEntity[],
    normalize: boolean,
  ): Promise<readonly string[]> {
    const options = { normalize: this.#normalizes(subject, normalize), isNew: true }
    const parse = (version: SchemaEntity) => this.#parser.parse(version, { subject, isNew: false })
    return settled(async () => {
      const { parsed, content } = this.#lookup.canonical(subject, request, options)
      return checkInTurns(this.#scope.inScope(subject), { parsed, metadata: content.metadata }, versions, parse)
    })
  }

  /** Finds out in turns with others what a registration will ask at once; what is at fault, it will say itself. */
  async prepare(subject: string, request: SchemaRequest, normalize: boolean): Promise<void> {
    if ((request.schema ?? '').trim() === '') return
    try {
      await this.compatibility(subject, request, this.#state.versions(subject, 'live'), normalize)
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error
    }
  }

  /** @throws RegistryError 40403 */
  byId(id: number, subject: string | undefined): SchemaEntity {
    const found = this.#state.byId(id, subject)
    if (found === undefined) throw errors.schemaNotFound(id)
    return found
  }

  /** All versions of the context that have the id. @throws RegistryError 40403 */
  versionsOfId(id: number, subject: string | undefined, which: Which): readonly SchemaEntity[] {
    const found = this.#state.byId(id, subject)
    if (found === undefined) throw errors.schemaNotFound()
    return this.#state.withId(id, contextOf(found.subject), which)
  }

  /** @throws RegistryError 40403 */
  byGuid(guid: string): SchemaEntity {
    const [first] = this.#state.byGuid(guid.toLowerCase())
    const found = first && this.#state.byId(first.id, contextPrefix(first.context))
    if (found === undefined) throw errors.schemaNotFound(guid)
    return found
  }

  idsOfGuid(guid: string): readonly ContextId[] {
    return this.#state.byGuid(guid.toLowerCase())
  }

  /** Ids of the schemas that refer to this version. @throws RegistryError 40401, 40402 */
  referencedBy(subject: string, version: number, which: Which): readonly number[] {
    const found = this.version(subject, version, 'all')
    const referrers = this.#state.referrers(found.subject, found.version, which)
    const ids = new Map(referrers.map((each) => [`${contextOf(each.subject)} ${each.id}`, each]))
    return [...ids.values()]
      .sort((one, other) => compareText(contextOf(one.subject), contextOf(other.subject)) || one.id - other.id)
      .map(({ id }) => id)
  }

  /** By subject and number. */
  *schemas({
    subjectPrefix,
    which,
    latestOnly,
    ruleType,
    aliases,
  }: SchemaFilter): Generator<SchemaEntity & { readonly aliases?: readonly string[] }> {
    const byTarget = aliases ? this.#aliasesByTarget(subjectPrefix) : new Map<string, string[]>()
    const subjects = new Set([...this.#state.subjects(subjectPrefix, 'all'), ...byTarget.keys()])
    for (const subject of [...subjects].sort()) {
      const versions = this.#state.versions(subject, which)
      const known = byTarget.get(subject)
      for (const version of latestOnly ? versions.slice(-1) : versions) {
        const rules = [...(version.ruleSet?.domainRules ?? []), ...(version.ruleSet?.migrationRules ?? [])]
        if (ruleType !== '' && !rules.some(({ type }) => type === ruleType)) continue
        yield known === undefined ? version : { ...version, aliases: known }
      }
    }
  }

  /** The subject that is meant: config may say that a name stands for another. */
  withoutAlias(name: string): string {
    const alias = this.#state.ownConfig(name)?.alias
    return alias === undefined || alias === '' ? name : resolveSubject(alias, name)
  }

  /** @throws RegistryError 42201 where the text is none any more */
  async shown(version: SchemaEntity, { format, referenceFormat }: ShownAs): Promise<ShownSchema> {
    const { references, ...others } = version
    const qualified = referenceFormat === 'qualified' && contextOf(version.subject) !== defaultContext
    const shown = qualified
      ? references.map((each) => ({ ...each, subject: resolveSubject(each.subject, version.subject) }))
      : references
    const schema = format.trim() === '' ? version.schema : await this.#formatted(version, format.trim())
    return { ...others, ...(shown.length === 0 ? {} : { references: shown }), schema }
  }

  async #formatted(version: SchemaEntity, format: string): Promise<string> {
    await this.#parser.load(version.schemaType)
    // A format that is not known is none, so that newer clients are understood.
    return settled(() => {
      const parsed = this.#parser.parse(version, { subject: version.subject, isNew: false })
      return parsed.formatted?.(format) ?? version.schema
    })
  }

  #normalizes(subject: string, asked: boolean): boolean {
    return asked || this.#scope.inScope(subject).normalize === true
  }

  /** The subject; one that names no context is looked for in all of them. */
  *#everywhere(name: string): Generator<string> {
    yield name
    const { context, subject } = parseSubject(name)
    if (context !== defaultContext) return
    for (const each of this.#state.contexts()) yield formatSubject({ context: each, subject })
  }

  #findIn(name: string, request: SchemaRequest, options: LookupOptions, isAsked: boolean): SchemaEntity | undefined {
    try {
      return this.#lookup.find(name, request, options)
    } catch (error) {
      // In another context there may not be what it refers to.
      if (isAsked || !(error instanceof RegistryError)) throw error
      return undefined
    }
  }

  #aliasesByTarget(prefix: string): Map<string, string[]> {
    const found = new Map<string, string[]>()
    for (const { subject, alias } of this.#state.aliases()) {
      if (!prefix.startsWith(':*:') && !subject.startsWith(prefix)) continue
      const target = resolveSubject(alias, subject)
      found.set(target, [...(found.get(target) ?? []), subject])
    }
    return found
  }
}

function compareText(one: string, other: string): number {
  if (one === other) return 0
  return one < other ? -1 : 1
}
