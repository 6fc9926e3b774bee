import { ConfigError, type Logger, type Schema } from '@tidewire/sdk'
import { failureOf, isObject, problemOfAnswer } from '../link/errors.ts'
import { pathOf, type ElasticsearchLink } from '../link/link.ts'
import { lackingProperties, schemaProperties, type Properties } from './mapping.ts'

export interface IndicesOptions {
  readonly connector: string
  readonly dataStream: boolean
  /** They are there, and nothing is made. */
  readonly external: boolean
  readonly compactMaps: boolean
  readonly templates: boolean
  readonly signal: AbortSignal
  readonly log: Logger
}

/** What is known of an index, alias or data stream. */
interface Known {
  /** Schemas whose fields it has. */
  readonly schemas: WeakSet<Schema>
  /** What the mapping has; undefined: not looked at. */
  properties: Properties | undefined
  /** Whether fields may be added to it. */
  grows: boolean
}

/** Sees to it that what records go to is there, with their fields. */
export class Indices {
  readonly #link: ElasticsearchLink
  readonly #options: IndicesOptions
  readonly #known = new Map<string, Known>()
  /** What was put into templates, by pattern. */
  readonly #templates = new Map<string, Properties>()

  constructor(link: ElasticsearchLink, options: IndicesOptions) {
    this.#link = link
    this.#options = options
  }

  /** Whether records of that schema can go to it at once. */
  isReady(name: string, schema: Schema | undefined): boolean {
    const known = this.#known.get(name)
    return known !== undefined && (schema === undefined || known.schemas.has(schema))
  }

  /**
   * @param schema of documents; undefined where their fields are left to the server
   * @param pattern what all such names of the topic are like
   * @throws ConnectError
   */
  async makeReady(name: string, schema: Schema | undefined, pattern: string): Promise<void> {
    const wanted = schema && schemaProperties(schema, this.#options.compactMaps)
    if (this.#options.templates && !this.#options.external) await this.#putTemplate(pattern, wanted ?? {})
    let known = this.#known.get(name)
    if (known === undefined) {
      await this.#find(name)
      if (this.#known.size >= 10_000) this.#known.clear()
      known = { schemas: new WeakSet(), properties: undefined, grows: true }
      this.#known.set(name, known)
    }
    if (wanted !== undefined) await this.#addFields(name, known, wanted)
    if (schema !== undefined) known.schemas.add(schema)
  }

  /** It is not there any more: it is looked for, and made, again. */
  forget(name: string): void {
    this.#known.delete(name)
  }

  async #find(name: string): Promise<void> {
    const { signal, external, dataStream } = this.#options
    const what = `looking for ${this.#kind} ${name}`
    const found = await this.#link.ask({ method: 'HEAD', path: pathOf(name), what, signal })
    if (found.status < 400) return
    // Who may only write may not look; writes will tell whether it is there.
    if (found.status === 403) return
    if (found.status !== 404) throw problemOfAnswer(found, what)
    if (external) {
      throw new ConfigError(`${this.#kind} ${name} does not exist, and topic.to.external.resource.mapping makes none`, {
        setting: 'topic.to.external.resource.mapping',
      })
    }
    const path = dataStream ? `/_data_stream${pathOf(name)}` : pathOf(name)
    const making = `making ${this.#kind} ${name}`
    const made = await this.#link.ask({ method: 'PUT', path, what: making, signal })
    if (made.status < 400) return
    const { type } = failureOf(made)
    // A server without this request makes data streams with their first documents.
    if (type === 'resource_already_exists_exception' || (dataStream && type === '')) return
    const problem = problemOfAnswer(made, making)
    if (!dataStream || made.status !== 400) throw problem
    throw new ConfigError(
      `${problem.message}. A data stream needs an index template: make one, or set index.template=true`,
      { cause: problem },
    )
  }

  get #kind(): string {
    return this.#options.dataStream ? 'data stream' : 'index'
  }

  async #addFields(name: string, known: Known, wanted: Properties): Promise<void> {
    const { log } = this.#options
    if (known.properties === undefined) Object.assign(known, await this.#readMapping(name))
    const lacking = known.grows ? lackingProperties(wanted, known.properties ?? {}) : {}
    if (Object.keys(lacking).length === 0) return
    const what = `adding fields to the mapping of ${name}`
    const answer = await this.#link.ask({
      method: 'PUT',
      path: `${pathOf(name)}/_mapping`,
      query: { write_index_only: true },
      body: JSON.stringify({ properties: lacking }),
      what,
      signal: this.#options.signal,
    })
    // Another task, or a document, was quicker: it is looked at anew with the next schema.
    known.properties = undefined
    if (answer.status < 400) return
    const problem = problemOfAnswer(answer, what)
    if (answer.status !== 400) throw problem
    log.warn('the fields of a schema do not fit the mapping; the server decides for each document', {
      index: name,
      error: problem.message,
    })
  }

  async #readMapping(name: string): Promise<Partial<Known>> {
    const what = `reading the mapping of ${name}`
    const { signal } = this.#options
    const answer = await this.#link.ask({ method: 'GET', path: `${pathOf(name)}/_mapping`, what, signal })
    // Who may not look may not change it either; and a data stream may be there only with its first document.
    if (answer.status === 403 || (answer.status === 404 && this.#options.dataStream)) return { grows: false }
    if (answer.status >= 400) throw problemOfAnswer(answer, what)
    const indices = JSON.parse(answer.text) as Readonly<Record<string, { readonly mappings?: unknown }>>
    // Of several, behind an alias or a data stream, the newest has the last name.
    const newest = Object.keys(indices).sort().at(-1)
    const mappings = newest === undefined ? undefined : indices[newest]?.mappings
    if (!isObject(mappings)) return { properties: {}, grows: true }
    const { dynamic, dynamic_templates: rules, properties } = mappings
    // Who has rules for fields that come wants these, and no others.
    const isPlain = dynamic === undefined || dynamic === true || dynamic === 'true'
    return {
      properties: isObject(properties) ? (properties as Properties) : {},
      grows: isPlain && !(Array.isArray(rules) && rules.length > 0),
    }
  }

  async #putTemplate(pattern: string, wanted: Properties): Promise<void> {
    const before = this.#templates.get(pattern)
    const lacking = lackingProperties(wanted, before ?? {})
    if (before !== undefined && Object.keys(lacking).length === 0) return
    const properties = before === undefined ? wanted : { ...before, ...lacking }
    const { connector, dataStream, signal } = this.#options
    const name = `tidewire-${connector}-${pattern}`.toLowerCase().replaceAll(/[^a-z0-9._-]/g, '_')
    await this.#link.get({
      method: 'PUT',
      path: `/_index_template${pathOf(name)}`,
      body: JSON.stringify({
        index_patterns: [pattern],
        // Above those that come with Elasticsearch (100).
        priority: 200,
        ...(dataStream ? { data_stream: {} } : {}),
        template: { mappings: { properties } },
        _meta: { description: `Fields of the records that the connector ${connector} writes` },
      }),
      what: `putting the index template ${name}`,
      signal,
    })
    this.#templates.set(pattern, properties)
  }
}
