import { runSink, type SinkRun, type SinkRunOptions } from '@tidewire/sdk/testing'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { startPostgres, type PostgresVersion, type TestPostgres } from '../../../../test/support/postgres.ts'
import { postgresSink } from '../../sink/sink.ts'

/** A server for a file of tests, with a database for each test. */
export interface SinkServer {
  readonly server: () => TestPostgres
  readonly database: (...statements: string[]) => Promise<SinkDatabase>
}

/** A database of a test's own, and runs of sinks that write to it. */
export interface SinkDatabase {
  readonly name: string
  readonly url: string
  readonly sql: (text: string) => Promise<Record<string, unknown>[]>
  /** A run with this database's address in its config; stopped with the test. */
  readonly run: (config: Readonly<Record<string, string | number | boolean>>, options?: SinkRunOptions) => SinkRun
}

export function sinkServer(version: PostgresVersion): SinkServer {
  let server: TestPostgres
  let databases = 0
  beforeAll(async () => {
    server = await startPostgres({ version })
  })
  afterAll(() => server.close())
  return {
    server: () => server,
    database: async (...statements) => {
      const name = `d${++databases}`
      await server.createDatabase(name)
      const url = `jdbc:postgresql://${server.host}:${server.port}/${name}`
      const sql = (text: string) => server.sql(text, name)
      for (const statement of statements) await sql(statement)
      return {
        name,
        url,
        sql,
        run: (config, options) => {
          const settings = { 'connection.url': url, 'connection.user': server.user, ...config }
          const run = runSink(postgresSink, settings, { timeoutMs: 30_000, ...options })
          onTestFinished(() => run.stop())
          return run
        },
      }
    },
  }
}
