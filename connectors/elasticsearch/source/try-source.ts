import { ConfigError, ConnectError, type ConfigProblems, type Logger } from '@tidewire/sdk'
import { codes } from '../link/errors.ts'
import { openLink } from '../link/link.ts'
import { askServer } from '../link/server.ts'
import { findIndices } from './indices.ts'
import { PointInTime } from './point-in-time.ts'
import { fieldOf, queryOf, type ReadConfig } from './settings.ts'
import { sortableType } from './sort-field.ts'

/** More indices are not looked at, since there is little time. */
const mostTried = 10

/** Which setting a failure is about, where the error does not say so. */
const settingOfCode: Readonly<Record<string, string>> = {
  [codes.unreachable]: 'connection.url',
  [codes.timeout]: 'connection.url',
  [codes.tls]: 'elastic.https.ssl.truststore.location',
  [codes.loginRefused]: 'connection.username',
  [codes.forbidden]: 'connection.username',
}

/** Whether the server takes the login, and documents can be read as the settings say. */
export async function trySource(
  config: ReadConfig,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Logger },
): Promise<ConfigProblems> {
  let setting = 'connection.url'
  try {
    const link = await openLink(config)
    try {
      const server = await askServer(link, signal)
      log.info(`the server is ${server.product} ${server.version ?? ''}`.trim())
      setting = config['index.prefix'] === undefined ? 'index.names' : 'index.prefix'
      const indices = await findIndices(link, config, signal)
      if (indices.length === 0) return { [setting]: 'no index is there that the settings ask for' }
      for (const { name } of indices.slice(0, mostTried)) {
        const field = fieldOf(config)
        const type = field === undefined ? undefined : await sortableType(link, name, field, config, signal)
        const pit = await PointInTime.open({ link, server }, name, 1000, signal)
        try {
          const query = queryOf(config)
          if (query !== undefined) setting = 'query'
          const filters = query === undefined ? [] : [query]
          const sortField = field === undefined || type === undefined ? undefined : { name: field, type }
          const search = { filters, field: sortField, includes: [], excludes: [] }
          await pit.read(search, undefined, 1, signal)
        } finally {
          await pit.close()
        }
      }
      return {}
    } finally {
      await link.close()
    }
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error
    const named = error instanceof ConfigError ? error.setting : undefined
    return { [named ?? settingOfCode[error.code] ?? setting]: error.message }
  }
}
