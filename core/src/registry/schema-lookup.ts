/** From what a request brings to the content that is kept, and to the version that has it already. */
import type { ParsedSchema } from '../schemas/schema-format.ts'
import type { ConfigScope, EffectiveConfig } from './config-scope.ts'
import { contextOf } from './qualified-subject.ts'
import { errors } from './registry-error.ts'
import type { RegistryState } from './registry-state.ts'
import type { SchemaRequest } from './request-body.ts'
import {
  mergeMetadata,
  mergeRuleSets,
  versionProperty,
  withoutVersionProperty,
  withVersionProperty,
  type Metadata,
  type SchemaContent,
  type SchemaEntity,
  type SchemaReference,
} from './schema-entity.ts'
import type { SchemaParser } from './schema-parser.ts'

/** As it would be kept. */
export interface CanonicalSchema {
  readonly content: SchemaContent
  readonly parsed: ParsedSchema
}

export interface LookupOptions {
  readonly normalize: boolean
  /** Versions that are softly deleted count too. */
  readonly deleted: boolean
}

export class SchemaLookup {
  readonly #state: RegistryState
  readonly #scope: ConfigScope
  readonly #parser: SchemaParser

  constructor(state: RegistryState, scope: ConfigScope, parser: SchemaParser) {
    this.#state = state
    this.#scope = scope
    this.#parser = parser
  }

  /**
   * @param isNew references to versions that are softly deleted are none
   * @throws RegistryError 42201
   */
  canonical(
    subject: string,
    request: SchemaRequest,
    { normalize, isNew }: { normalize: boolean; isNew: boolean },
  ): CanonicalSchema {
    const { schema = '', schemaType, metadata, ruleSet } = request
    if (schema.trim() === '') throw errors.invalidSchema('Empty schema')
    const references = this.#parser.pinned(request.references, { subject, isNew })
    const parsed = this.#parser.parse({ schemaType, schema, references }, { subject, isNew })
    const mode = this.#scope.modeInScope(subject)
    const isNormal = normalize && mode !== 'IMPORT' && mode !== 'FORWARD'
    const text = isNormal ? { schema: parsed.normalized(), references: inNormalOrder(references) } : undefined
    const content = { schemaType, metadata, ruleSet, schema: parsed.canonical, references, ...text }
    return { content, parsed }
  }

  /**
   * The version of the subject that has this content. Where the request says nothing of metadata and rules, those of the
   * latest version are meant too.
   */
  find(subject: string, request: SchemaRequest, options: LookupOptions): SchemaEntity | undefined {
    const found = this.#find(subject, request, options)
    if (found !== undefined) return found
    const latest = this.#state.latest(subject)
    if (latest === undefined) return undefined
    const completed = this.completed(this.#scope.inScope(subject), request, latest, undefined)
    if (completed.metadata === request.metadata && completed.ruleSet === request.ruleSet) return undefined
    return this.#find(subject, completed, options)
  }

  /** With what the config adds to metadata and rules, and what the version before had. */
  completed(
    config: EffectiveConfig,
    request: SchemaRequest,
    latest: SchemaEntity | undefined,
    nextVersion: number | undefined,
  ): SchemaRequest {
    const ownMetadata = request.metadata ?? latest?.metadata
    const ownRules = request.ruleSet ?? latest?.ruleSet
    let metadata = mergeMetadata(mergeMetadata(config.defaultMetadata, ownMetadata), config.overrideMetadata)
    const ruleSet = mergeRuleSets(mergeRuleSets(config.defaultRuleSet, ownRules), config.overrideRuleSet)
    const tellsVersion = request.version !== 0 || metadata?.properties?.[versionProperty] !== undefined
    if (nextVersion !== undefined && tellsVersion) metadata = withVersionProperty(metadata, nextVersion)
    return { ...request, metadata, ruleSet }
  }

  /** Among the versions given, the first that is the same as this one in all that matters. */
  same(schema: CanonicalSchema, versions: readonly SchemaEntity[]): SchemaEntity | undefined {
    return versions.find((version) => this.#isSame(schema, version))
  }

  #find(subject: string, request: SchemaRequest, { normalize, deleted }: LookupOptions): SchemaEntity | undefined {
    const schema = this.canonical(subject, request, { normalize, isNew: false })
    const id = this.#state.idOf(schema.content, contextOf(subject))
    const known = id === undefined ? undefined : this.#state.versionWithId(subject, id)
    if (known !== undefined && (deleted || !known.deleted)) return known
    return this.same(schema, this.#state.versions(subject, deleted ? 'all' : 'live').toReversed())
  }

  #isSame({ content, parsed }: CanonicalSchema, version: SchemaEntity): boolean {
    if (content.schemaType !== version.schemaType) return false
    return this.#isSameText(content, parsed, version) && isSameMetadata(content, version)
  }

  #isSameText(content: SchemaContent, parsed: ParsedSchema, version: SchemaEntity): boolean {
    if (JSON.stringify(content.references) === JSON.stringify(version.references)) {
      return content.schema === version.schema
    }
    // It may have been sent with all that it refers to put in.
    if (content.references.length > 0 || version.references.length === 0) return false
    const before = this.#parser.parse(version, { subject: version.subject, isNew: false })
    return before.formatted?.('resolved') === parsed.canonical
  }
}

function isSameMetadata({ metadata, ruleSet }: SchemaContent, version: SchemaEntity): boolean {
  if (JSON.stringify(ruleSet) !== JSON.stringify(version.ruleSet)) return false
  const asked = metadata?.properties?.[versionProperty]
  const has = version.metadata?.properties?.[versionProperty]
  // The property tells which version it is; whoever does not ask for one means any.
  if (asked === undefined && has !== undefined)
    return textOf(metadata) === textOf(withoutVersionProperty(version.metadata))
  if (asked === undefined || has !== undefined) return JSON.stringify(metadata) === JSON.stringify(version.metadata)
  return asked === String(version.version) && textOf(withoutVersionProperty(metadata)) === textOf(version.metadata)
}

/** What is empty is as good as what is not there. */
function textOf(metadata: Metadata | undefined): string {
  const { tags = {}, properties = {}, sensitive = [] } = metadata ?? {}
  return JSON.stringify([tags, properties, sensitive])
}

/** Sorted, each once. */
function inNormalOrder(references: readonly SchemaReference[]): readonly SchemaReference[] {
  const sorted = references.toSorted((one, other) => {
    if (one.subject !== other.subject) return one.subject < other.subject ? -1 : 1
    return one.version - other.version
  })
  const seen = new Set<string>()
  return sorted.filter((reference) => {
    const text = JSON.stringify([reference.name, reference.subject, reference.version])
    return !seen.has(text) && seen.add(text)
  })
}
