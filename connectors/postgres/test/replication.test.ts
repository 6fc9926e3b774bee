import { parseConfig, type LogLine } from '@tidewire/sdk/testing'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  type PostgresVersion,
  postgresMissing,
  startPostgres,
  type TestPostgres,
} from '../../../test/support/postgres.ts'
import { until } from '../../../test/support/until.ts'
import { planOf } from '../cdc/plan.ts'
import { ensurePublication, type PublicationOptions } from '../cdc/replication/publication.ts'
import { ReplicaIdentityRules, replicaIdentityOf, setReplicaIdentities } from '../cdc/replication/replica-identity.ts'
import { checkServer, currentLsn, lookAtServer } from '../cdc/replication/server.ts'
import { createSlot, type CreateSlotOptions, dropSlot, lookAtSlot } from '../cdc/replication/slot.ts'
import { postgresCdc } from '../cdc/source.ts'
import { WalStream, type WalStreamOptions } from '../cdc/replication/wal-stream.ts'
import type { RowChange, WalMessage } from '../cdc/replication/wal-message.ts'
import { connect, disconnect } from '../link/connect.ts'
import { addressOfServer } from './address.ts'

const versions: readonly PostgresVersion[] = ['debian', 'npm']
const signal = new AbortController().signal
const lines: LogLine[] = []
const line = (level: LogLine['level']) => (message: string, details?: LogLine['details']) =>
  void lines.push({ level, message, details })
const log = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }

for (const version of versions) {
  const missing = await postgresMissing(version)
  describe.skipIf(missing !== undefined)(`replication with PostgreSQL (${version}) ${missing ?? ''}`, () => {
    suite(version)
  })
}

function suite(version: PostgresVersion): void {
  let server: TestPostgres
  let database = ''
  let databases = 0

  beforeAll(async () => {
    server = await startPostgres({ version, settings: { wal_sender_timeout: '2s', max_prepared_transactions: 2 } })
  })
  afterAll(() => server.close())

  /** A database of the test's own, with a client. */
  async function fresh(...statements: string[]): Promise<pg.Client> {
    database = `d${++databases}`
    await server.createDatabase(database)
    const client = await connect(addressOfServer(server, { database }), { signal })
    onTestFinished(async () => {
      await disconnect(client)
    })
    for (const statement of statements) await client.query(statement)
    return client
  }

  const slotOptions = (more: Partial<CreateSlotOptions> = {}): CreateSlotOptions => ({
    name: `${database}_slot`,
    ...{ temporary: false, exportSnapshot: false, failover: false },
    ...{ timeoutMs: 30_000, retries: 0, retryDelayMs: 50, signal, log, ...more },
  })

  async function slot(more: Partial<CreateSlotOptions> = {}): Promise<string> {
    const options = slotOptions(more)
    const made = await createSlot(addressOfServer(server, { database }), options)
    await made.release()
    return options.name
  }

  async function stream(more: Partial<WalStreamOptions> = {}): Promise<WalStream> {
    const opened = await WalStream.open(addressOfServer(server, { database }), {
      ...{ slot: `${database}_slot`, publication: 'p', start: 0, params: {}, messages: true, statusIntervalMs: 500 },
      ...{ maxBufferedBytes: 1 << 20, retries: 0, retryDelayMs: 1000, signal, log, ...more },
    })
    onTestFinished(() => opened.close())
    return opened
  }

  async function readUntil(from: WalStream, done: (message: WalMessage) => boolean): Promise<WalMessage[]> {
    const read: WalMessage[] = []
    await until('the message', async () => {
      const some = await from.read(1000, 1000)
      read.push(...some)
      return some.some(done)
    })
    return read
  }

  const isCommit = ({ kind }: WalMessage): boolean => kind === 'commit'
  const isInsert = (message: WalMessage): message is RowChange => message.kind === 'insert'

  /** The values of a tuple, as texts. */
  function values({ bytes }: RowChange, at: number): (string | null | undefined)[] {
    const found: (string | null | undefined)[] = []
    let next = at + 2
    for (let left = bytes.readUInt16BE(at); left > 0; left--) {
      const kind = String.fromCharCode(bytes[next]!)
      const length = kind === 't' ? bytes.readUInt32BE(next + 1) : 0
      found.push(kind === 't' ? bytes.toString('utf8', next + 5, next + 5 + length) : kind === 'n' ? null : undefined)
      next += kind === 't' ? 5 + length : 1
    }
    return found
  }

  test('what the server is', async () => {
    const client = await fresh()
    const facts = await lookAtServer(client)
    expect(facts).toMatchObject({ walLevel: 'logical', walSenderTimeoutMs: 2000, encoding: 'UTF8', database })
    expect(facts).toMatchObject({ inRecovery: false, superuser: true, mayReplicate: true })
    expect(Math.floor(facts.version / 10_000)).toBe(server.major)
    checkServer(facts)
    expect(() => checkServer({ ...facts, walLevel: 'replica', encoding: 'SQL_ASCII' })).toThrow(
      /wal_level=logical.*SQL_ASCII/,
    )
  })

  test('a new slot, its snapshot and the stream from it meet exactly', async () => {
    const client = await fresh('CREATE TABLE t (a int PRIMARY KEY, b text)', 'CREATE PUBLICATION p FOR ALL TABLES')
    await client.query("INSERT INTO t VALUES (1, 'before')")
    const made = await createSlot(addressOfServer(server, { database }), slotOptions({ exportSnapshot: true }))
    await client.query("INSERT INTO t VALUES (2, 'after')")
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    await client.query(`SET TRANSACTION SNAPSHOT '${made.snapshotName}'`)
    await made.release()
    expect((await client.query('SELECT a FROM t')).rows).toEqual([{ a: 1 }])
    await client.query('COMMIT')
    const read = await readUntil(await stream({ start: made.consistentLsn }), isCommit)
    const changes = read.filter(isInsert)
    expect(changes.map((change) => values(change, change.newAt))).toEqual([['2', 'after']])
  })

  test('all kinds of messages, as they are sent', async () => {
    const client = await fresh(
      'CREATE TABLE t (a int PRIMARY KEY, b text)',
      'ALTER TABLE t REPLICA IDENTITY FULL',
      "CREATE TYPE mood AS ENUM ('good', 'bad')",
      'CREATE TABLE m (a int PRIMARY KEY, m mood)',
      'CREATE PUBLICATION p FOR ALL TABLES',
    )
    await slot()
    await client.query(`INSERT INTO t VALUES (1, NULL); UPDATE t SET b = 'ü'; DELETE FROM t; INSERT INTO m VALUES (1, 'bad');
      UPDATE m SET a = 2; DELETE FROM m; TRUNCATE t, m RESTART IDENTITY CASCADE; SELECT pg_logical_emit_message(true, 'p', 'hello')`)
    const source = await stream()
    const read = await readUntil(source, isCommit)
    const shown = read.map((message) => {
      switch (message.kind) {
        case 'insert':
          return [message.kind, values(message, message.newAt)]
        case 'update':
          return [message.kind, message.oldKind, values(message, message.oldAt), values(message, message.newAt)]
        case 'delete':
          return [message.kind, message.oldKind, values(message, message.oldAt)]
        case 'relation':
          return [message.kind, message.relation.table, message.relation.replicaIdentity]
        case 'truncate':
          return [message.kind, message.relationIds.length, message.cascade, message.restartIdentity]
        case 'message':
          return [message.kind, message.transactional, message.prefix, message.content.toString()]
        default:
          return [message.kind]
      }
    })
    // The server describes tables again whenever it likes.
    const relations = shown.filter(([kind]) => kind === 'relation').map((relation) => relation.join())
    expect(new Set(relations)).toEqual(new Set(['relation,t,f', 'relation,m,d']))
    expect(shown.filter(([kind]) => kind !== 'relation' && kind !== 'type')).toEqual([
      ['begin'],
      ['insert', ['1', null]],
      ['update', 'O', ['1', null], ['1', 'ü']],
      ['delete', 'O', ['1', 'ü']],
      ['insert', ['1', 'bad']],
      ['update', 'K', ['1', null], ['2', 'bad']],
      ['delete', 'K', ['2', null]],
      ['truncate', 2, true, true],
      ['message', true, 'p', 'hello'],
      ['commit'],
    ])
    const begin = read.find((message) => message.kind === 'begin')!
    const commit = read.find((message) => message.kind === 'commit')!
    expect(begin.commitLsn).toBe(commit.commitLsn)
    expect(commit.endLsn).toBeGreaterThan(commit.commitLsn)
    expect(Math.abs(commit.commitTimeUs / 1000 - Date.now())).toBeLessThan(600_000)
    expect(source.idle).toBe(true)
  })

  test('the confirmed position reaches the server, and what is not confirmed comes again', async () => {
    const client = await fresh('CREATE TABLE t (a int PRIMARY KEY)', 'CREATE PUBLICATION p FOR ALL TABLES')
    const name = await slot()
    await client.query('INSERT INTO t VALUES (1)')
    await client.query('INSERT INTO t VALUES (2)')
    const first = await stream()
    const commits: number[] = []
    await until('two commits', async () => {
      for (const message of await first.read(1, 1000)) if (message.kind === 'commit') commits.push(message.endLsn)
      return commits.length === 2
    })
    expect(() => first.confirm(commits[1]! + 1e9)).toThrow(RangeError)
    first.confirm(commits[0]!)
    await until('the confirmation', async () => (await lookAtSlot(client, name))?.confirmedLsn === commits[0])
    await first.close()
    await until('the slot to be free', async () => (await lookAtSlot(client, name))?.active === false)
    const again = await readUntil(await stream(), isCommit)
    expect(again.filter(({ kind }) => kind === 'insert')).toHaveLength(1)
  })

  test('an idle stream follows the log of other databases, so that it can be confirmed', async () => {
    const client = await fresh('CREATE PUBLICATION p FOR ALL TABLES')
    const name = await slot()
    const source = await stream()
    await server.sql('CREATE TABLE elsewhere AS SELECT generate_series(1, 1000)')
    const target = await currentLsn(client)
    await until('the position', async () => {
      expect(await source.read(10, 100)).toEqual([])
      return source.idle && source.walEnd >= target
    })
    source.confirm(source.walEnd)
    await source.close()
    await until('the confirmation', async () => (await lookAtSlot(client, name))!.confirmedLsn! >= target)
    await server.sql('DROP TABLE elsewhere')
  })

  test('a slow reader holds the server back, loses nothing, and is not cut off by wal_sender_timeout', async () => {
    const client = await fresh('CREATE TABLE t (a int PRIMARY KEY, b text)', 'CREATE PUBLICATION p FOR ALL TABLES')
    await slot()
    const source = await stream({ maxBufferedBytes: 100_000, statusIntervalMs: 60_000 })
    await client.query("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 30000) g")
    const state = async () => {
      const { rows } = await client.query<{ pid: number; sent: string; replied: Date }>(
        `SELECT pid, sent_lsn::text AS sent, reply_time AS replied FROM pg_stat_replication
         JOIN pg_replication_slots ON active_pid = pid WHERE slot_name = $1`,
        [`${database}_slot`],
      )
      return rows[0]
    }
    const before = await state()
    // Twice the server's timeout, by its own clock.
    await until('statuses for four seconds', async () => {
      const now = await state()
      expect(now?.pid).toBe(before?.pid)
      return now!.replied.getTime() - before!.replied.getTime() > 4000
    })
    const read = await readUntil(source, isCommit)
    expect(read.filter(({ kind }) => kind === 'insert')).toHaveLength(30_000)
  })

  test('a row larger than the buffer comes through', async () => {
    const client = await fresh('CREATE TABLE t (b text)', 'CREATE PUBLICATION p FOR ALL TABLES')
    await slot()
    await client.query("INSERT INTO t VALUES (repeat('x', 5000000))")
    const read = await readUntil(await stream({ maxBufferedBytes: 10_000 }), isCommit)
    const row = read.find(isInsert)!
    expect(values(row, row.newAt)).toEqual(['x'.repeat(5_000_000)])
  })

  test('a slot that is in use is waited for, and then told', async () => {
    await fresh('CREATE PUBLICATION p FOR ALL TABLES')
    const name = await slot()
    const first = await stream()
    await expect(stream()).rejects.toMatchObject({ code: 'PG_SLOT_ACTIVE', retriable: true })
    const client = await connect(addressOfServer(server, { database }), { signal })
    await expect(dropSlot(client, name, 0)).rejects.toMatchObject({ code: 'PG_SLOT_ACTIVE' })
    const second = stream({ retries: 100, retryDelayMs: 300 })
    await until('a try that failed', () => lines.some(({ message }) => message.includes('trying again')))
    await first.close()
    await (await second).close()
    await dropSlot(client, name, 10_000)
    expect(await lookAtSlot(client, name)).toBeUndefined()
    await dropSlot(client, name, 0)
    await disconnect(client)
    await expect(stream()).rejects.toMatchObject({ name: 'ConfigError', code: 'PG_SLOT_MISSING' })
  })

  test('a slot of another kind is refused', async () => {
    const client = await fresh()
    await client.query(`SELECT pg_create_physical_replication_slot('${database}_physical')`)
    await client.query(`SELECT pg_create_logical_replication_slot('${database}_slot', 'pgoutput')`)
    await expect(lookAtSlot(client, `${database}_physical`)).rejects.toThrow(/physical/)
    const other = await connect(addressOfServer(server), { signal })
    await expect(lookAtSlot(other, `${database}_slot`)).rejects.toThrow(/belongs to database/)
    await disconnect(other)
    await expect(slot()).rejects.toMatchObject({ code: 'PG_42710' })
    await dropSlot(client, `${database}_physical`, 0)
  })

  test('making a slot ends when a transaction does not, says which one, and leaves no slot', async () => {
    const client = await fresh('CREATE TABLE t (a int)')
    const holder = await connect(addressOfServer(server, { database, applicationName: 'holder' }), { signal })
    await holder.query('BEGIN')
    await holder.query('INSERT INTO t VALUES (1)')
    const error: unknown = await slot({ timeoutMs: 300, retries: 1 }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ retriable: true })
    expect((error as Error).message).toMatch(/holder/)
    expect(lines.some(({ message }) => message.includes('trying again'))).toBe(true)
    await until('the slot to be gone', async () => (await lookAtSlot(client, `${database}_slot`)) === undefined)
    const stop = new AbortController()
    const made = slot({ signal: stop.signal })
    await until('the slot', async () => (await lookAtSlot(client, `${database}_slot`)) !== undefined)
    stop.abort(new Error('stopped'))
    await expect(made).rejects.toThrow('stopped')
    await until('the slot to be gone', async () => (await lookAtSlot(client, `${database}_slot`)) === undefined)
    await disconnect(holder)
  })

  test('a restart of the server may be retried, and nothing is lost over it', async () => {
    const client = await fresh('CREATE TABLE t (a int PRIMARY KEY)', 'CREATE PUBLICATION p FOR ALL TABLES')
    await slot()
    await client.query('INSERT INTO t VALUES (1)')
    const source = await stream()
    await readUntil(source, isCommit)
    const broken = until('the break', async () => {
      try {
        await source.read(10, 1000)
        return undefined
      } catch (error) {
        return error
      }
    })
    await server.kill()
    expect(await broken).toMatchObject({ retriable: true })
    await expect(source.read(1, 0)).rejects.toMatchObject({ retriable: true })
    await expect(stream()).rejects.toMatchObject({ retriable: true, code: 'PG_UNREACHABLE' })
    await server.start()
    const read = await readUntil(await stream(), isCommit)
    expect(read.filter(({ kind }) => kind === 'insert')).toHaveLength(1)
  })

  test('an end of the session by an administrator may be retried', async () => {
    const client = await fresh('CREATE PUBLICATION p FOR ALL TABLES')
    const name = await slot()
    const source = await stream()
    const { activePid } = (await lookAtSlot(client, name))!
    await client.query('SELECT pg_terminate_backend($1)', [activePid])
    // Where our status was on its way the server's end is a reset, which may overtake its last words.
    const code = expect.stringMatching(/^PG_(57P01|UNREACHABLE)$/) as unknown
    await expect(source.read(1, 30_000)).rejects.toMatchObject({ retriable: true, code })
  })

  test('a publication that is missing is told with what to do', async () => {
    const client = await fresh('CREATE TABLE t (a int)')
    await slot()
    await client.query('INSERT INTO t VALUES (1)')
    await expect((await stream({ publication: 'none' })).read(10, 30_000)).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'PG_PUBLICATION_MISSING',
    })
  })

  test('a slot whose log was removed is lost, and what to do is told', async () => {
    const client = await fresh('CREATE TABLE t (a int)', 'CREATE PUBLICATION p FOR ALL TABLES')
    const name = await slot()
    expect((await lookAtSlot(client, name))?.lost).toBeUndefined()
    await client.query("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    await client.query('SELECT pg_reload_conf()')
    onTestFinished(async () => {
      await server.sql('ALTER SYSTEM RESET max_slot_wal_keep_size')
      await server.sql('SELECT pg_reload_conf()')
    })
    await until('the loss', async () => {
      await client.query('INSERT INTO t VALUES (1)')
      await client.query('SELECT pg_switch_wal()')
      await client.query('CHECKPOINT')
      return (await lookAtSlot(client, name))?.lost
    })
    const lost = (await lookAtSlot(client, name))!
    const config = parseConfig(postgresCdc, {
      ...{ 'database.hostname': 'h', 'database.user': 'u', 'database.dbname': 'd' },
      ...{ 'topic.prefix': 'p', 'slot.name': name },
    })
    const stored = { kind: 'stream', commitLsn: lost.confirmedLsn!, partial: undefined } as const
    const known = { confirmedLsn: lost.confirmedLsn!, lost: lost.lost }
    expect(() => planOf(config, stored, known, { lsn: Infinity, log: undefined })).toThrow(
      /(removed log|wal removed).*when_needed/,
    )
    await expect(stream()).rejects.toMatchObject({ name: 'ConfigError', code: 'PG_SLOT_LOST' })
    await dropSlot(client, name, 0)
  })

  const publication = (more: Partial<PublicationOptions>): PublicationOptions => ({
    ...{ name: 'p', mode: 'all_tables', tables: async () => [], publish: undefined, viaPartitionRoot: false },
    ...{ timeoutMs: 30_000, log, ...more },
  })

  test('publications for all tables, for none, and those that are to be there', async () => {
    const client = await fresh('CREATE TABLE t (a int)')
    await expect(ensurePublication(client, publication({ mode: 'disabled' }))).rejects.toMatchObject({
      code: 'PG_PUBLICATION_MISSING',
    })
    expect(await ensurePublication(client, publication({ publish: ['insert', 'update'] }))).toEqual({
      ...{ allTables: true, publish: ['insert', 'update'], viaPartitionRoot: false, created: true },
    })
    expect(await ensurePublication(client, publication({ mode: 'disabled' }))).toMatchObject({ created: false })
    expect(lines.at(-1)).toMatchObject({ level: 'warn', details: { operations: ['delete'] } })
    await expect(
      ensurePublication(
        client,
        publication({ mode: 'filtered', tables: async () => [{ schema: 'public', table: 't' }] }),
      ),
    ).rejects.toThrow(/is for all tables/)
    expect(
      await ensurePublication(client, publication({ name: 'none', mode: 'no_tables', viaPartitionRoot: true })),
    ).toEqual({
      ...{
        allTables: false,
        publish: ['insert', 'update', 'delete', 'truncate'],
        viaPartitionRoot: true,
        created: true,
      },
    })
  })

  test('a publication that follows the filters keeps row filters of what stays', async () => {
    const client = await fresh('CREATE TABLE a (x int)', 'CREATE TABLE "B" (x int)', 'CREATE TABLE c (x int)')
    const filtered = (...tables: string[]) =>
      publication({ mode: 'filtered', tables: async () => tables.map((table) => ({ schema: 'public', table })) })
    const members = async () => {
      const { rows } = await client.query<{ tablename: string; filter: string | null }>(
        "SELECT tablename, to_jsonb(t) ->> 'rowfilter' AS filter FROM pg_publication_tables t WHERE pubname = 'p' ORDER BY 1",
      )
      return rows.map(({ tablename, filter }) => (filter === null ? tablename : `${tablename} ${filter}`))
    }
    await expect(ensurePublication(client, filtered())).rejects.toThrow(/no table/)
    expect((await ensurePublication(client, filtered('a', 'B'))).created).toBe(true)
    expect(await members()).toEqual(['B', 'a'])
    const filter = server.major >= 15 ? ' (x > 1)' : ''
    if (filter !== '') await client.query('ALTER PUBLICATION p SET TABLE a WHERE (x > 1), "B"')
    expect((await ensurePublication(client, filtered('a', 'c'))).created).toBe(false)
    expect(await members()).toEqual([`a${filter}`, 'c'])
    expect((await ensurePublication(client, { ...filtered('a', 'c'), publish: ['insert'] })).publish).toEqual([
      'insert',
    ])
  })

  test('who may not create a publication is told what to grant', async () => {
    const client = await fresh('CREATE TABLE t (a int)')
    await client.query(`CREATE ROLE low_${database} LOGIN`)
    const low = await connect(addressOfServer(server, { database, user: `low_${database}` }), { signal })
    await expect(ensurePublication(low, publication({}))).rejects.toMatchObject({ code: 'PG_PRIVILEGE_MISSING' })
    await expect(
      connect(addressOfServer(server, { database, user: `low_${database}` }), { signal, replication: true }),
    ).rejects.toThrow(/ALTER ROLE/)
    const rules = new ReplicaIdentityRules('public.t:FULL')
    await setReplicaIdentities(low, rules, [{ schema: 'public', table: 't' }], log)
    expect(lines.at(-1)).toMatchObject({ level: 'error' })
    await disconnect(low)
  })

  test('replica identities are set where they differ', async () => {
    const client = await fresh('CREATE TABLE a (x int NOT NULL)', 'CREATE TABLE b (x int)', 'CREATE TABLE c (x int)')
    await client.query('CREATE UNIQUE INDEX a_x ON a (x)')
    const tables = ['a', 'b', 'c', 'missing'].map((table) => ({ schema: 'public', table }))
    const rules = new ReplicaIdentityRules('public.a:INDEX a_x,public.b:FULL,public.missing:FULL')
    await setReplicaIdentities(client, rules, tables, log)
    const identities = async () => {
      const found = []
      for (const table of tables) found.push(await replicaIdentityOf(client, table))
      return found
    }
    expect(await identities()).toEqual([
      { kind: 'INDEX', index: 'a_x' },
      { kind: 'FULL' },
      { kind: 'DEFAULT' },
      undefined,
    ])
    const before = lines.length
    await setReplicaIdentities(client, rules, tables, log)
    expect(lines.length).toBe(before)
    await client.query('DROP INDEX a_x')
    expect((await identities())[0]).toEqual({ kind: 'NOTHING' })
  })

  test.runIf(version === 'npm')('a failover slot', async () => {
    const client = await fresh()
    if (server.major < 17) return
    expect((await lookAtSlot(client, await slot({ failover: true })))?.failover).toBe(true)
  })
}
