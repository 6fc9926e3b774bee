import type { TestPostgres } from '../../../test/support/postgres.ts'
import type { Address } from '../link/connection-settings.ts'

/** Where a server of the tests is, with the defaults of the settings. */
export function addressOfServer(server: TestPostgres, more: Partial<Address> = {}): Address {
  return {
    host: server.host,
    port: server.port,
    user: server.user,
    database: server.database,
    ssl: { mode: 'prefer' },
    tcpKeepAlive: true,
    applicationName: 'tidewire test',
    initialStatements: [],
    queryTimeoutMs: 60_000,
    ...more,
  }
}
