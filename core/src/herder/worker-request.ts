import { once } from 'node:events'
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as httpsRequest, type Agent as HttpsAgent } from 'node:https'
import { text } from 'node:stream/consumers'
import { RetriableError } from '@tidewire/sdk'
import { peerAgent, type PeerTls } from '../config/peer-agent.ts'
import { messageOf } from '../logging/message-of.ts'

export interface WorkerRequest {
  readonly method: string
  /** With path and query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface WorkerAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}
const lookMs = 200

/** Asks other workers by HTTP, or by HTTPS where their URL says so. */
export class WorkerRequests {
  readonly #http = new HttpAgent({ keepAlive: true })
  #https: HttpsAgent

  /** @param tls left out: the authorities that Node brings along are trusted, and nothing is shown */
  constructor(tls?: PeerTls) {
    this.#https = peerAgent(tls, { keepAlive: true })
  }

  /** For what is asked from now on. */
  renewTls(tls: PeerTls): void {
    this.#https = peerAgent(tls, { keepAlive: true })
  }

  /**
   * The answer is not waited for any more when the signal is aborted, or when the worker is not the right one to ask any
   * more: one that hangs would otherwise hold the request until it comes back.
   * @throws RetriableError when there is no answer; the request may have been carried out all the same
   */
  async ask(asked: WorkerRequest, signal: AbortSignal, isRight: () => boolean): Promise<WorkerAnswer> {
    const other = new AbortController()
    const watch = setInterval(() => {
      if (!isRight()) other.abort(new Error('it is another worker’s by now'))
    }, lookMs)
    try {
      return await this.#exchange(asked, AbortSignal.any([signal, other.signal]))
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
      throw new RetriableError(`no answer from the worker at ${new URL(asked.url).origin}: ${messageOf(cause)}`, {
        cause: error,
      })
    } finally {
      clearInterval(watch)
    }
  }

  close(): void {
    this.#http.destroy()
    this.#https.destroy()
  }

  async #exchange({ method, url, headers, body }: WorkerRequest, signal: AbortSignal): Promise<WorkerAnswer> {
    const isSecure = url.startsWith('https:')
    const type = body === '' ? {} : { 'content-type': 'application/json' }
    const request = (isSecure ? httpsRequest : httpRequest)(url, {
      agent: isSecure ? this.#https : this.#http,
      method,
      headers: { ...headers, ...type, 'content-length': String(Buffer.byteLength(body)) },
      signal,
    })
    request.end(body)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return { status: response.statusCode!, headers: response.headers, body: await text(response) }
  }
}
