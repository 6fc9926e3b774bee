/** As much of a schema registry as a client's tests need, with answers that fail on demand. Nothing is checked. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { RegistrySchema } from '../registry-client.ts'

interface Version extends RegistrySchema {
  readonly id: number
  readonly version: number
}

interface Failure {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export class FakeRegistry implements AsyncDisposable {
  /** Method and path of each request. */
  readonly requests: string[] = []
  /** The `authorization` header of the last one. */
  authorization: string | undefined
  /**
   * Answers of the next requests, before any other: `undefined` cuts the connection, `'silence'` never comes. A body that is
   * a text is sent as it stands.
   */
  readonly failures: (Failure | 'silence' | undefined)[] = []
  readonly #subjects = new Map<string, Version[]>()
  readonly #ids: string[] = []
  readonly #server = createServer((request, response) => void this.#serve(request, response))

  static async start(): Promise<FakeRegistry> {
    const registry = new FakeRegistry()
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve))
    return registry
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** Registers without a request; the id. */
  add(subject: string, schema: string, type = 'AVRO', references: RegistrySchema['references'] = []): number {
    const versions = this.#subjects.get(subject) ?? []
    this.#subjects.set(subject, versions)
    const text = JSON.stringify([type, schema, references])
    const known = versions.find((version) => version.schema === schema)
    if (known !== undefined) return known.id
    if (!this.#ids.includes(text)) this.#ids.push(text)
    const id = this.#ids.indexOf(text) + 1
    versions.push({ type, schema, references, id, version: versions.length + 1 })
    return id
  }

  /** The text that was registered last under the subject. */
  textOf(subject: string): string | undefined {
    return this.#subjects.get(subject)?.at(-1)?.schema
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(`${request.method} ${request.url}`)
    this.authorization = request.headers.authorization
    let body = ''
    for await (const chunk of request) body += String(chunk)
    if (this.failures.length > 0) {
      const failure = this.failures.shift()
      if (failure === undefined) request.socket.destroy()
      else if (failure !== 'silence') answer(response, failure)
      return
    }
    const path = new URL(request.url ?? '', 'http://x').pathname.split('/').map(decodeURIComponent)
    const [status, json] = this.#answer(path, body === '' ? undefined : (JSON.parse(body) as Record<string, unknown>))
    answer(response, { status, body: json })
  }

  #answer(path: readonly string[], body: Readonly<Record<string, unknown>> | undefined): [number, unknown] {
    const [, kind, subject = '', versions, version] = path
    if (kind === 'schemas') {
      const known = this.#ids[Number(versions) - 1]
      if (known === undefined) return [404, { error_code: 40403, message: 'Schema not found' }]
      const [type, schema, references] = JSON.parse(known) as [string, string, unknown]
      return [200, { schema, ...(type === 'AVRO' ? {} : { schemaType: type }), references }]
    }
    const schema = body?.['schema'] as string
    if (versions === 'versions' && body !== undefined) {
      const references = (body['references'] ?? []) as RegistrySchema['references']
      return [200, { id: this.add(subject, schema, (body['schemaType'] as string | undefined) ?? 'AVRO', references) }]
    }
    const known = this.#subjects.get(subject) ?? []
    const found =
      body === undefined
        ? known.at(version === 'latest' ? -1 : Number(version) - 1)
        : known.find((one) => one.schema === schema)
    if (found === undefined) return [404, { error_code: 40402, message: `nothing such in ${subject}` }]
    return [200, { ...found, schemaType: found.type, subject }]
  }
}

function answer(response: ServerResponse, { status, body, headers }: Failure): void {
  response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}
