/** Schema texts as their formats understand them: references are looked up, and what is parsed is kept for a while. */
import { messageOf } from '../logging/message-of.ts'
import {
  InvalidSchemaError,
  type ParsedSchema,
  type ResolvedReference,
  type SchemaFormat,
  type SchemaType,
} from '../schemas/schema-format.ts'
import { resolveSubject } from './qualified-subject.ts'
import { errors } from './registry-error.ts'
import type { RegistryState } from './registry-state.ts'
import type { SchemaContent, SchemaEntity, SchemaReference } from './schema-entity.ts'

/** All that a schema refers to, directly or not; more would not be somebody's schema but somebody's attack. */
const MAX_REFERENCES = 1000
/** Of texts that are kept parsed; the trees take several times as much. */
const MAX_CACHED_CHARACTERS = 8 * 1024 * 1024

export type LoadFormat = (type: SchemaType) => Promise<SchemaFormat>

export interface SchemaParserOptions {
  readonly state: RegistryState
  readonly loadFormat: LoadFormat
  /** `schema.cache.size` */
  readonly cacheSize: number
}

/** Which subject's references they are, and whether one that is softly deleted may be meant. */
export interface ParseOptions {
  readonly subject: string
  readonly isNew: boolean
}

/** With what identifies its content. */
interface Resolved extends ResolvedReference {
  readonly guid: string
}

export class SchemaParser {
  readonly #options: SchemaParserOptions
  readonly #formats = new Map<SchemaType, SchemaFormat>()
  /** The least recently used first. */
  readonly #parsed = new Map<string, ParsedSchema>()
  #cachedCharacters = 0

  constructor(options: SchemaParserOptions) {
    this.#options = options
  }

  /** Needed before the first schema of the type is parsed. */
  async load(type: SchemaType): Promise<void> {
    if (!this.#formats.has(type)) this.#formats.set(type, await this.#options.loadFormat(type))
  }

  /**
   * The references with the numbers of versions that were left open (-1), as of now.
   * @throws RegistryError 42201 where there is no such schema
   */
  pinned(references: readonly SchemaReference[], { subject, isNew }: ParseOptions): readonly SchemaReference[] {
    return references.map((reference) => ({ ...reference, version: this.#referred(reference, subject, isNew).version }))
  }

  /** @throws RegistryError 42201 where the text is no schema, or refers to none */
  parse({ schemaType, schema, references }: SchemaContent, options: ParseOptions): ParsedSchema {
    const resolved = this.#resolve(references, options)
    const key = JSON.stringify([schemaType, ...resolved.map(({ name, guid }) => [name, guid]), schema])
    const known = this.#parsed.get(key)
    if (known !== undefined) {
      this.#parsed.delete(key)
      this.#parsed.set(key, known)
    }
    const parsed = known ?? this.#parse(schemaType, schema, resolved)
    if (options.isNew) refusing(schemaType, () => parsed.checkNew?.())
    if (known === undefined) this.#keep(key, parsed)
    return parsed
  }

  #parse(type: SchemaType, text: string, references: readonly ResolvedReference[]): ParsedSchema {
    const format = this.#formats.get(type)
    if (format === undefined) throw new Error(`the format ${type} has not been loaded`)
    return refusing(type, () => format.parse(text, references))
  }

  /** What is referred to comes before what refers to it; of two with one name the first counts. */
  #resolve(references: readonly SchemaReference[], { subject, isNew }: ParseOptions): readonly Resolved[] {
    const resolved: Resolved[] = []
    const seen = new Set<string>()
    // With a stack of its own: chains of references may be long.
    const stack = [{ references, subject, at: 0, itself: undefined as Resolved | undefined }]
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const reference = top.references[top.at++]
      if (reference === undefined) {
        if (top.itself !== undefined) resolved.push(top.itself)
        stack.pop()
        continue
      }
      if (seen.has(reference.name)) continue
      seen.add(reference.name)
      if (seen.size > MAX_REFERENCES) throw errors.invalidSchema(`More than ${MAX_REFERENCES} schemas are referred to`)
      const found = this.#referred(reference, top.subject, isNew)
      const itself = {
        name: reference.name,
        subject: found.subject,
        version: found.version,
        schema: found.schema,
        guid: found.guid,
      }
      stack.push({ references: found.references, subject: found.subject, at: 0, itself })
    }
    return resolved
  }

  #referred({ subject, version }: SchemaReference, parent: string, isNew: boolean): SchemaEntity {
    const { state } = this.#options
    const name = resolveSubject(subject, parent)
    const found = version === -1 ? state.latest(name) : state.version(name, version)
    if (found === undefined || (isNew && found.deleted)) {
      throw errors.invalidSchema(`No schema reference found for subject "${name}" and version ${version}`)
    }
    return found
  }

  #keep(key: string, parsed: ParsedSchema): void {
    const { cacheSize } = this.#options
    if (key.length > MAX_CACHED_CHARACTERS / 2) return
    this.#parsed.set(key, parsed)
    this.#cachedCharacters += key.length
    for (const oldest of this.#parsed.keys()) {
      if (this.#parsed.size <= cacheSize && this.#cachedCharacters <= MAX_CACHED_CHARACTERS) return
      this.#parsed.delete(oldest)
      this.#cachedCharacters -= oldest.length
    }
  }
}

function refusing<T>(type: SchemaType, attempt: () => T): T {
  try {
    return attempt()
  } catch (error) {
    // A text may be of a depth that nobody has thought of.
    if (!(error instanceof InvalidSchemaError) && !(error instanceof RangeError)) throw error
    throw errors.invalidSchema(`Invalid schema of type ${type}, details: ${messageOf(error)}`)
  }
}
