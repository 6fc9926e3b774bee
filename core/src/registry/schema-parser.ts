/** Schema texts as their formats understand them: references are looked up, and what is parsed is kept for a while. */
import { createHash } from 'node:crypto'
import { messageOf } from '../logging/message-of.ts'
import {
  InvalidSchemaError,
  type ParsedSchema,
  type ResolvedReference,
  type SchemaFormat,
  type SchemaType,
} from '../schemas/schema-format.ts'
import { LargeSchema, rememberSource } from './large-schema.ts'
import { resolveSubject } from './qualified-subject.ts'
import { errors } from './registry-error.ts'
import type { RegistryState } from './registry-state.ts'
import type { SchemaContent, SchemaEntity, SchemaReference } from './schema-entity.ts'
import type { SchemaSource, SchemaWork } from './schema-work.ts'

/** All that a schema refers to, directly or not; more would not be somebody's schema but somebody's attack. */
const MAX_REFERENCES = 1000
/** Of texts that are kept parsed; the trees take several times as much. */
const MAX_CACHED_CHARACTERS = 8 * 1024 * 1024
/** From here on, with what it refers to, a text keeps the thread for longer than others should wait. */
const LARGE_CHARACTERS = 64 * 1024
/** Of those, with what is known of them, as many are held for the next who asks. */
const MAX_LARGE_HELD = 4

export type LoadFormat = (type: SchemaType) => Promise<SchemaFormat>

export interface SchemaParserOptions {
  readonly state: RegistryState
  readonly loadFormat: LoadFormat
  /** `schema.cache.size` */
  readonly cacheSize: number
  readonly work: SchemaWork
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
  /** Those that somebody works with, by their keys. */
  readonly #large = new Map<string, WeakRef<LargeSchema>>()
  /** The least recently used first. */
  readonly #largeHeld = new Map<string, LargeSchema>()
  /** Of texts: a version's is asked for again and again. */
  readonly #hashes = new WeakMap<SchemaContent, string>()
  readonly #largeGone = new FinalizationRegistry<string>((key) => {
    if (this.#large.get(key)?.deref() === undefined) this.#large.delete(key)
  })

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

  /**
   * @throws RegistryError 42201 where the text is no schema, or refers to none
   * @throws StillWorking as all that it gives may, where the text is large
   */
  parse(content: SchemaContent, options: ParseOptions): ParsedSchema {
    const { schemaType, schema } = content
    const resolved = this.#resolve(content.references, options)
    if (resolved.reduce((sum, { schema: text }) => sum + text.length, schema.length) > LARGE_CHARACTERS) {
      const large = this.#largeOf(content, resolved)
      if (options.isNew) large.checkNew()
      return large
    }
    const key = JSON.stringify([schemaType, ...resolved.map(({ name, guid }) => [name, guid]), schema])
    const known = this.#parsed.get(key)
    if (known !== undefined) {
      this.#parsed.delete(key)
      this.#parsed.set(key, known)
    }
    const parsed = known ?? this.#parse(content, resolved)
    if (options.isNew) refusing(schemaType, () => parsed.checkNew?.())
    if (known === undefined) this.#keep(key, parsed)
    return parsed
  }

  #parse(content: SchemaContent, references: readonly Resolved[]): ParsedSchema {
    const { schemaType: type, schema } = content
    const format = this.#formats.get(type)
    if (format === undefined) throw new Error(`the format ${type} has not been loaded`)
    const parsed = refusing(type, () => format.parse(schema, references))
    rememberSource(parsed, this.#sourceOf(content, references))
    return parsed
  }

  #largeOf(content: SchemaContent, references: readonly Resolved[]): LargeSchema {
    const source = this.#sourceOf(content, references)
    const { key } = source
    let large = this.#large.get(key)?.deref()
    if (large === undefined) {
      large = new LargeSchema(source, this.#options.work)
      this.#large.set(key, new WeakRef(large))
      this.#largeGone.register(large, key)
    }
    this.#largeHeld.delete(key)
    this.#largeHeld.set(key, large)
    for (const oldest of this.#largeHeld.keys()) {
      if (this.#largeHeld.size <= MAX_LARGE_HELD) break
      this.#largeHeld.delete(oldest)
    }
    return large
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

  #sourceOf(content: SchemaContent, references: readonly Resolved[]): SchemaSource {
    const { schemaType: type, schema } = content
    const hash = this.#hashes.get(content) ?? createHash('sha256').update(schema).digest('base64')
    this.#hashes.set(content, hash)
    const key = JSON.stringify([type, hash, ...references.map(({ name, guid }) => [name, guid])])
    return { key, type, schema, references }
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
