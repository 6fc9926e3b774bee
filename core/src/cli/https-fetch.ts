import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import type { Fetch } from '../rest-client/rest-client.ts'

/**
 * A `fetch` with certificates of its own, which Node's takes from its environment only.
 * @throws Error where they cannot be used
 */
export function httpsFetch(certificates: Pick<SecureContextOptions, 'ca' | 'cert' | 'key' | 'passphrase'>): Fetch {
  const agent = new Agent({ secureContext: createSecureContext(certificates) })
  return async (url, { method, headers, body, signal }) => {
    const asked = request(url, { agent, method, headers, ...(signal === undefined ? {} : { signal }) })
    // What ends it after the head of the answer ends the body's stream, too.
    asked.on('error', () => undefined)
    asked.end(body)
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    const isEmpty = answer.statusCode === 204
    if (isEmpty) answer.resume()
    return new Response(isEmpty ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array>), {
      status: answer.statusCode!,
      statusText: answer.statusMessage ?? '',
      headers: Object.entries(answer.headersDistinct).flatMap(([name, values]) =>
        (values ?? []).map((value): [string, string] => [name, value]),
      ),
    })
  }
}
