import { failureOf, isObject, problemOfAnswer } from './errors.ts'
import type { ElasticsearchLink } from './link.ts'

/** Who answers at an address. */
export interface Server {
  readonly product: 'Elasticsearch' | 'OpenSearch'
  /** Left out where the server does not tell it, as a managed one need not. */
  readonly version?: string
}

/**
 * Asks who the server is. One that keeps `GET /` from this user, or has none, counts as Elasticsearch of no known version.
 * @throws ConnectError where it cannot be reached or does not take the login
 */
export async function askServer(link: ElasticsearchLink, signal: AbortSignal): Promise<Server> {
  const what = 'asking the server for its version'
  const answer = await link.ask({ method: 'GET', path: '/', what, signal })
  if (answer.status === 403 || answer.status === 404 || answer.status === 405) return { product: 'Elasticsearch' }
  if (answer.status >= 400) throw problemOfAnswer(answer, what)
  const about = parse(answer.text)
  const version = isObject(about) ? about['version'] : undefined
  if (!isObject(version)) {
    const { reason } = failureOf({ status: answer.status, text: answer.text.slice(0, 200) })
    throw problemOfAnswer({ status: 404, text: `this is neither Elasticsearch nor OpenSearch: ${reason}` }, what)
  }
  const number = version['number']
  return {
    product: version['distribution'] === 'opensearch' ? 'OpenSearch' : 'Elasticsearch',
    ...(typeof number === 'string' ? { version: number } : {}),
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
