import { ConfigError, type ConfigProblems } from '@tidewire/sdk'
import { connect, disconnect } from '../link/connect.ts'
import { codes, problemOf } from '../link/errors.ts'
import { TypeCatalog } from '../types/type-catalog.ts'
import { addressOf, queryOf, type QueryConfig } from './config.ts'
import { Structure } from './structure.ts'
import { findTargets } from './targets.ts'

/** More tables are not looked at, since there is little time. */
const maxTables = 100

/** Which setting a failure is about, where the error does not say so. */
const settingOfCode: Readonly<Record<string, string>> = {
  [codes.loginRefused]: 'connection.user',
}

/** Whether the server takes the login, and tables, or the query, can be read as the settings say. */
export async function tryQuery(
  config: QueryConfig,
  { signal }: { readonly signal: AbortSignal },
): Promise<ConfigProblems> {
  const source = queryOf(config) === undefined ? 'table.whitelist' : 'query'
  let setting = 'connection.url'
  try {
    const client = await connect(addressOf(config, 'validation'), { signal })
    try {
      const catalog = await TypeCatalog.load(client)
      setting = source
      const targets = await findTargets(client, config)
      if (targets.length === 0) return { [source]: 'no table is there that the settings ask for' }
      for (const target of targets.slice(0, maxTables)) await Structure.of(client, target, config, catalog)
      return {}
    } finally {
      await disconnect(client)
    }
  } catch (cause) {
    const error = problemOf(cause, 'trying the settings')
    const named = error instanceof ConfigError ? error.setting : undefined
    return { [named ?? settingOfCode[error.code] ?? setting]: error.message }
  }
}
