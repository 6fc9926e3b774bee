/** The client of a schema registry (Confluent's REST API): what converters ask it, each thing once. */
import { DataError } from '@tidewire/sdk'
import { BoundedCache } from './bounded-cache.ts'
import { RegistryAnswerError, RegistryHttp } from './http.ts'
import type { RegistryClientConfig } from './settings.ts'

export interface SchemaReference {
  readonly name: string
  readonly subject: string
  readonly version: number
}

/** A schema's text, as it is registered or is to be. */
export interface RegistrySchema {
  /** AVRO, JSON or PROTOBUF. */
  readonly type: string
  readonly schema: string
  readonly references: readonly SchemaReference[]
}

export interface RegisteredSchema extends RegistrySchema {
  readonly id: number
}

export interface RegisteredVersion extends RegisteredSchema {
  readonly subject: string
  readonly version: number
}

/** A reference with the text that it leads to. */
export interface ReferencedSchema extends SchemaReference {
  readonly schema: string
}

/** More references than anyone's schema has, in all. */
const maxReferences = 1_000

/** Most bytes of schema texts that are kept. */
const maxKnownBytes = 32 * 1024 * 1024
/** The same of what was refused. */
const maxMissingBytes = 4 * 1024 * 1024
/** What an entry takes besides texts. */
const entryBytes = 500

interface LookUpOptions {
  /** `normalize` of the API. */
  readonly normalize: boolean
}

export class RegistryClient {
  readonly #http: RegistryHttp
  readonly #config: RegistryClientConfig
  readonly #cache: BoundedCache<string, unknown>
  /** What the registry did not know, so that a topic full of such records does not ask for each. */
  readonly #missing: BoundedCache<string, DataError>
  readonly #underWay = new Map<string, Promise<unknown>>()

  /**
   * @param signal ends all requests, and lets no more begin
   * @throws ConfigError
   */
  constructor(config: RegistryClientConfig, signal?: AbortSignal) {
    this.#config = config
    this.#http = new RegistryHttp(config, signal)
    // By id, by subject and text, and by subject and version.
    this.#cache = new BoundedCache(3 * config['max.schemas.per.subject'], maxKnownBytes)
    this.#missing = new BoundedCache(config['max.schemas.per.subject'], maxMissingBytes)
  }

  /**
   * The schema with an id.
   * @throws DataError where there is none
   */
  schemaById(id: number): Promise<RegisteredSchema> {
    return this.#once(`id ${id}`, async () => {
      return { ...(await this.#http.ask('GET', `/schemas/ids/${id}`, schemaOf)), id }
    })
  }

  /**
   * Registers a schema under a subject, unless it is there.
   * @throws DataError with the registry's reason: incompatible, invalid
   */
  register(subject: string, schema: RegistrySchema, { normalize }: LookUpOptions): Promise<{ readonly id: number }> {
    return this.#once(key('register', subject, normalize, schema), async () => {
      const path = `/subjects/${encodeURIComponent(subject)}/versions?normalize=${normalize}`
      return this.#http.ask('POST', path, idOf, bodyOf(schema))
    })
  }

  /**
   * Id and version of a schema that is registered under a subject.
   * @throws DataError where it is not
   */
  lookUp(
    subject: string,
    schema: RegistrySchema,
    { normalize }: LookUpOptions,
  ): Promise<{ readonly id: number; readonly version: number }> {
    return this.#once(key('lookUp', subject, normalize, schema), async () => {
      const path = `/subjects/${encodeURIComponent(subject)}?normalize=${normalize}`
      return this.#http.ask('POST', path, versionOf, bodyOf(schema))
    })
  }

  /**
   * The latest version of a subject, which may be some time old (`latest.cache.ttl.sec`).
   * @throws DataError where there is none
   */
  latest(subject: string): Promise<RegisteredVersion> {
    const seconds = this.#config['latest.cache.ttl.sec']
    return this.#once(
      `latest ${subject}`,
      () => this.#version(subject, 'latest'),
      seconds < 0 ? Infinity : seconds * 1_000,
    )
  }

  /** @throws DataError where there is none */
  version(subject: string, version: number): Promise<RegisteredVersion> {
    return this.#once(`version ${version} ${subject}`, () => this.#version(subject, version))
  }

  /**
   * All that a schema refers to, and what that refers to: each name once, what is referred to before what refers to it.
   * @throws DataError where one is not there
   */
  async references(schema: RegistrySchema): Promise<readonly ReferencedSchema[]> {
    const found = new Map<string, ReferencedSchema>()
    const seen = new Set<string>()
    const follow = async ({ references }: RegistrySchema): Promise<void> => {
      for (const reference of references) {
        const place = `${reference.name} ${reference.version} ${reference.subject}`
        if (seen.has(place)) continue
        seen.add(place)
        if (seen.size > maxReferences) throw new DataError(`a schema with more than ${maxReferences} references`)
        const referenced = await this.version(reference.subject, reference.version)
        await follow(referenced)
        if (!found.has(reference.name)) found.set(reference.name, { ...reference, schema: referenced.schema })
      }
    }
    await follow(schema)
    return [...found.values()]
  }

  async #version(subject: string, version: number | 'latest'): Promise<RegisteredVersion> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`
    return { ...(await this.#http.ask('GET', path, registeredOf)), subject }
  }

  /** Asks once for all who want to know the same at the same time, and keeps the answer. */
  #once<T extends object>(what: string, ask: () => Promise<T>, ttlMs = Infinity): Promise<T> {
    const known = this.#cache.get(what)
    if (known !== undefined) return Promise.resolve(known as T)
    const missing = this.#missing.get(what)
    if (missing !== undefined) return Promise.reject(missing)
    const underWay = this.#underWay.get(what)
    if (underWay !== undefined) return underWay as Promise<T>
    const answer = ask()
      .then((value) => {
        this.#cache.set(what, value, entryBytes + what.length + textBytes(value), ttlMs)
        return value
      })
      .catch((error: unknown) => {
        if (!(error instanceof RegistryAnswerError)) throw error
        const refused = new DataError(`the schema registry says: ${error.message}`, {
          code: `REGISTRY_${error.errorCode}`,
          cause: error,
        })
        const bytes = entryBytes + what.length + 2 * refused.message.length
        this.#missing.set(what, refused, bytes, this.#config['missing.id.cache.ttl.sec'] * 1_000)
        throw refused
      })
      .finally(() => this.#underWay.delete(what))
    this.#underWay.set(what, answer)
    return answer
  }
}

/** Of the schema in an answer. */
function textBytes(answer: object): number {
  return 'schema' in answer && typeof answer.schema === 'string' ? answer.schema.length : 0
}

function key(call: string, subject: string, normalize: boolean, { type, schema, references }: RegistrySchema): string {
  return JSON.stringify([call, subject, normalize, type, schema, references])
}

function bodyOf({ type, schema, references }: RegistrySchema): unknown {
  return {
    schema,
    // Registries of before 5.5 know no types.
    ...(type === 'AVRO' ? {} : { schemaType: type }),
    ...(references.length === 0 ? {} : { references }),
  }
}

// What answers of the API hold; undefined where one does not.

function schemaOf(answer: unknown): RegistrySchema | undefined {
  const { schema, schemaType, references } = (answer ?? {}) as Readonly<Record<string, unknown>>
  if (typeof schema !== 'string') return undefined
  return {
    type: typeof schemaType === 'string' ? schemaType : 'AVRO',
    schema,
    references: Array.isArray(references) ? (references as SchemaReference[]) : [],
  }
}

function idOf(answer: unknown): { readonly id: number } | undefined {
  const { id } = (answer ?? {}) as Readonly<Record<string, unknown>>
  return Number.isInteger(id) ? { id: id as number } : undefined
}

function versionOf(answer: unknown): { readonly id: number; readonly version: number } | undefined {
  const { version } = (answer ?? {}) as Readonly<Record<string, unknown>>
  const id = idOf(answer)
  return id !== undefined && Number.isInteger(version) ? { ...id, version: version as number } : undefined
}

function registeredOf(answer: unknown): Omit<RegisteredVersion, 'subject'> | undefined {
  const schema = schemaOf(answer)
  const version = versionOf(answer)
  return schema && version && { ...schema, ...version }
}
