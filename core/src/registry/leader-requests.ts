/** Passes requests on to the registry that leads. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, type Agent as HttpsAgent } from 'node:https'
import { text } from 'node:stream/consumers'
import { peerAgent, type PeerTls } from '../config/peer-agent.ts'

/** A request, to be sent on. */
export interface PassedRequest {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

export interface LeaderAnswer {
  readonly status: number
  readonly body: string
}

export interface LeaderRequestsOptions {
  /** `leader.connect.timeout.ms` */
  readonly connectTimeoutMs: number
  /** `leader.read.timeout.ms` */
  readonly readTimeoutMs: number
  /** What is shown and trusted with https. */
  readonly tls?: PeerTls | undefined
}
/** Another registry was not reached, or did not answer. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'
  /** It may have got the request, and have carried it out. */
  readonly wasSent: boolean

  constructor(url: string, wasSent: boolean, cause: unknown) {
    super(`no answer from the registry at ${url}`, { cause })
    this.wasSent = wasSent
  }
}

const LOOK_MS = 200
/** Most of an answer that is read; the registry's own answers to writes are far smaller. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

/**
 * Each request has a connection of its own. One that was kept may be closed by the leader just as it is used again, and then
 * nobody knows whether a delete was carried out.
 */
export class LeaderRequests {
  readonly #options: LeaderRequestsOptions
  readonly #http: HttpAgent
  #https: HttpsAgent

  constructor(options: LeaderRequestsOptions) {
    this.#options = options
    this.#http = new HttpAgent({ keepAlive: false })
    this.#https = peerAgent(options.tls, { keepAlive: false })
  }

  /** For what is asked from now on. */
  renewTls(tls: PeerTls): void {
    this.#https = peerAgent(tls, { keepAlive: false })
  }

  /**
   * The answer is not waited for any more when another is the right one to ask: one that hangs would otherwise hold the
   * request until it comes back.
   * @throws NoAnswerError
   */
  async ask(
    url: string,
    { method, path, headers, body }: PassedRequest,
    isRight: () => boolean,
  ): Promise<LeaderAnswer> {
    const { connectTimeoutMs, readTimeoutMs } = this.#options
    const other = new AbortController()
    const watch = setInterval(() => {
      if (!isRight()) other.abort(new Error('another leads by now'))
    }, LOOK_MS)
    let wasSent = false
    try {
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        const given = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined)
        const length = Buffer.byteLength(body)
        const options = {
          method,
          headers: { ...Object.fromEntries(given), 'content-length': length },
          signal: other.signal,
        }
        const asked = url.startsWith('https:')
          ? httpsRequest(url + path, { ...options, agent: this.#https }, resolve)
          : httpRequest(url + path, { ...options, agent: this.#http }, resolve)
        const connecting = setTimeout(() => asked.destroy(new Error('it cannot be connected to')), connectTimeoutMs)
        asked.once('socket', (socket) => {
          const connected = (): void => {
            clearTimeout(connecting)
            wasSent = true
          }
          if (!socket.connecting) connected()
          else socket.once(url.startsWith('https:') ? 'secureConnect' : 'connect', connected)
        })
        asked.setTimeout(readTimeoutMs, () => asked.destroy(new Error('it takes too long')))
        asked.once('error', reject)
        asked.once('close', () => clearTimeout(connecting))
        asked.end(body)
      })
      return { status: answer.statusCode ?? 500, body: await bodyOf(answer) }
    } catch (error) {
      throw new NoAnswerError(url, wasSent, error)
    } finally {
      clearInterval(watch)
    }
  }

  close(): void {
    this.#http.destroy()
    this.#https.destroy()
  }
}

async function bodyOf(answer: IncomingMessage): Promise<string> {
  let bytes = 0
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) answer.destroy(new Error('its answer is too large'))
  })
  return text(answer)
}
