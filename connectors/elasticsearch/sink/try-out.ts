import { isErrorKind, type ConfigProblems, type Logger } from '@tidewire/sdk'
import { codes, isObject, problemOfAnswer } from '../link/errors.ts'
import { openLink, pathOf, type ElasticsearchLink } from '../link/link.ts'
import { askServer } from '../link/server.ts'
import { optionsOf, pairsOf } from './options.ts'
import { ResourceNames } from './resource-names.ts'
import type { ElasticsearchSinkConfig } from './settings.ts'

/**
 * Whether the server can be reached and takes the login, is of a version that can be written to, has what is said to be there,
 * and whether this user may write. Leaves nothing behind.
 */
export async function tryOut(
  config: ElasticsearchSinkConfig,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Logger },
): Promise<ConfigProblems> {
  const link = await openLink(config)
  try {
    const server = await askServer(link, signal)
    log.info('reached the server', { product: server.product, version: server.version })
    const tooOld = ageProblem(server.version)
    if (tooOld !== undefined) return { 'connection.url': `${server.product} ${server.version}: ${tooOld}` }
    return { ...(await tryResources(link, config, signal)), ...(await tryPrivileges(link, config, signal)) }
  } catch (error) {
    return { [settingOf(error, config)]: (error as Error).message }
  } finally {
    await link.close()
  }
}

function settingOf(error: unknown, config: ElasticsearchSinkConfig): string {
  if (!isErrorKind(error, 'ConfigError')) return 'connection.url'
  if (error.code === codes.tls) return 'elastic.https.ssl.truststore.location'
  return config['connection.api.key'] === undefined ? 'connection.username' : 'connection.api.key'
}

/** OpenSearch counts from 1, and its first is as Elasticsearch 7.10 is. */
function ageProblem(version: string | undefined): string | undefined {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number)
  if (version === undefined || major < 4 || major > 7 || (major === 7 && minor >= 10)) return undefined
  return 'older than 7.10 cannot be written to'
}

async function tryResources(
  link: ElasticsearchLink,
  config: ElasticsearchSinkConfig,
  signal: AbortSignal,
): Promise<ConfigProblems> {
  for (const resource of pairsOf(config['topic.to.external.resource.mapping']).values()) {
    const what = `looking for ${resource}`
    const answer = await link.ask({ method: 'HEAD', path: pathOf(resource), what, signal })
    if (answer.status === 404) {
      return { 'topic.to.external.resource.mapping': `${resource} does not exist: make it first` }
    }
    if (answer.status >= 400 && answer.status !== 403) throw problemOfAnswer(answer, what)
  }
  return {}
}

/** Of an Elasticsearch with security; others have no such question, and do not mind it. */
async function tryPrivileges(
  link: ElasticsearchLink,
  config: ElasticsearchSinkConfig,
  signal: AbortSignal,
): Promise<ConfigProblems> {
  const names = namesIn(config)
  if (names.length === 0) return {}
  const privileges = neededPrivileges(config)
  const answer = await link.ask({
    method: 'POST',
    path: '/_security/user/_has_privileges',
    body: JSON.stringify({ index: [{ names, privileges }] }),
    what: 'asking for privileges',
    signal,
  })
  if (answer.status >= 400) return {}
  const body = JSON.parse(answer.text) as unknown
  if (!isObject(body) || body['has_all_requested'] !== false || !isObject(body['index'])) return {}
  const lacking = Object.entries(body['index']).map(([name, has]) => {
    const missing = privileges.filter((privilege) => isObject(has) && has[privilege] === false)
    return `${missing.join(', ')} on ${name}`
  })
  const setting = config['connection.api.key'] === undefined ? 'connection.username' : 'connection.api.key'
  return { [setting]: `lacks privileges: ${lacking.join('; ')}` }
}

/** What the config alone names. Topics are the framework's settings: without names of their own nothing is known yet. */
function namesIn(config: ElasticsearchSinkConfig): string[] {
  const named = [
    ...pairsOf(config['topic.to.external.resource.mapping']).values(),
    ...pairsOf(config['topic.index.map']).values(),
  ]
  const names = new ResourceNames(config)
  if (names.isExternal) return named
  const [one, other] = [names.pattern('one'), names.pattern('other')]
  return one === other ? [...named, one] : named
}

function neededPrivileges(config: ElasticsearchSinkConfig): string[] {
  const { dataStream, upserts, onNull } = optionsOf(config)
  const writes = dataStream ? 'create_doc' : upserts || onNull === 'delete' ? 'write' : 'index'
  const external = config['external.resource.usage'].toUpperCase() !== 'DISABLED'
  const makes = external ? [] : ['create_index']
  return config['schema.ignore'] ? [writes, ...makes] : [writes, ...makes, 'manage']
}
