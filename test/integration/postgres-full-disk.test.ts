/**
 * The disks of a PostgreSQL server fill up: that of the sink's table, that on which the server puts large transactions aside
 * for the source, and that of its log. Each is told as passing, and nothing is lost or comes twice when there is space again.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRetriable, type ConnectError } from '@tidewire/sdk'
import { runSink, runSource, type OffsetStore } from '@tidewire/sdk/testing'
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest'
import { postgresCdc } from '../../connectors/postgres/cdc/source.ts'
import { postgresSink } from '../../connectors/postgres/sink/sink.ts'
import { customerRecord } from '../../connectors/postgres/test/sink/fixtures.ts'
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts'
import { until } from '../support/until.ts'

/** A file system of its own, so small that it fills up. Needs the right to mount. */
class SmallDisk {
  readonly path = mkdtempSync(join(tmpdir(), 'tidewire-small-disk-'))
  readonly isMounted: boolean
  readonly #ballast = join(this.path, 'ballast')

  constructor(mebibytes: number) {
    this.isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', this.path]).status === 0
  }

  take(mebibytes: number): void {
    writeFileSync(this.#ballast, Buffer.alloc(mebibytes * 2 ** 20))
  }

  giveBack(): void {
    rmSync(this.#ballast)
  }

  remove(): void {
    if (this.isMounted) spawnSync('umount', [this.path])
    rmSync(this.path, { recursive: true, force: true })
  }
}

const missing = await postgresMissing()

describe.skipIf(missing !== undefined)(`a full disk of the server ${missing ?? ''}`, () => {
  const data = new SmallDisk(16)
  const log = new SmallDisk(64)
  const isMounted = data.isMounted && log.isMounted
  let postgres: TestPostgres

  beforeAll(async () => {
    if (!isMounted) return
    postgres = await startPostgres({
      version: 'debian',
      settings: { logical_decoding_work_mem: '64kB', max_wal_size: '32MB', min_wal_size: '32MB' },
    })
    const { uid, gid } = statSync(postgres.dataDir)
    const tables = join(data.path, 'tables')
    mkdirSync(tables)
    chownSync(tables, uid, gid)
    await postgres.sql(`CREATE TABLESPACE small LOCATION '${tables}'`)
    await postgres.stop()
    for (const [folder, disk] of [
      ['pg_replslot', data],
      ['pg_wal', log],
    ] as const) {
      const [here, there] = [join(postgres.dataDir, folder), join(disk.path, folder)]
      spawnSync('cp', ['-a', here, there])
      renameSync(here, `${here}.before`)
      symlinkSync(there, here)
    }
    await postgres.start()
  })
  afterAll(async () => {
    if (isMounted) await postgres.close()
    data.remove()
    log.remove()
  })

  const needMount = ({ skip }: TestContext): void => {
    if (!isMounted) skip('mounting a tmpfs is not allowed here')
  }

  test('of the table that a sink writes', async (context) => {
    needMount(context)
    await postgres.sql(
      'CREATE TABLE customers (id bigint PRIMARY KEY, name text, note text, score int) TABLESPACE small; ALTER TABLE customers ALTER note SET STORAGE external',
    )
    data.take(10)
    const sink = runSink(
      postgresSink,
      {
        ...{ 'connection.url': `jdbc:postgresql://${postgres.host}:${postgres.port}/postgres` },
        ...{ 'connection.user': postgres.user, 'insert.mode': 'insert', 'exactly.once': true },
      },
      { timeoutMs: 60_000 },
    )
    const batches = Array.from({ length: 16 }, (_, batch) =>
      Array.from({ length: 50 }, (_, n) => {
        const id = 50 * batch + n
        return customerRecord(id, id, { name: 'x', note: randomBytes(5000).toString('hex'), score: id })
      }),
    )
    const problems: unknown[] = []
    for (const batch of batches) {
      while (true) {
        try {
          await sink.put(batch)
          break
        } catch (error) {
          problems.push(error)
          expect(error).toMatchObject({ name: 'RetriableError', code: 'PG_53100' })
          expect((error as Error).message).toContain('No space left on device')
          // Tried in vain a second time first, as a worker would.
          if (problems.length === 2) data.giveBack()
        }
      }
    }
    await sink.stop()
    expect(problems).toHaveLength(2)
    const [row] = await postgres.sql(
      'SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids, sum(length(note))::int AS bytes FROM customers',
    )
    expect(row).toEqual({ rows: 800, ids: 800, bytes: 8_000_000 })
    await postgres.sql('DROP TABLE customers')
  })

  /** Reads until an event of this key, again and again as a worker does; what fails on the way is kept. */
  async function readUntil(last: number, offsets: OffsetStore | undefined, onFailure: (error: ConnectError) => void) {
    const ids: number[] = []
    let stored = offsets
    for (;;) {
      const run = runSource(
        postgresCdc,
        {
          ...{ 'database.hostname': postgres.host, 'database.port': postgres.port, 'database.user': postgres.user },
          ...{ 'database.dbname': 'postgres', 'topic.prefix': 'shop', 'slot.name': 'shop' },
          'table.include.list': 'public.item',
        },
        { timeoutMs: 60_000, ...(stored === undefined ? {} : { offsets: stored }) },
      )
      try {
        while (ids.at(-1) !== last) {
          const records = await run.take()
          await run.acknowledge()
          for (const { key } of records) ids.push((key as { id: number }).id)
        }
        return { ids, offsets: run.offsets }
      } catch (error) {
        if (!isRetriable(error)) throw error
        onFailure(error as ConnectError)
      } finally {
        await run.stop().catch(() => undefined)
        stored = run.offsets
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  test('on which the server puts aside what a source is to get, and of its log', async (context) => {
    needMount(context)
    await postgres.sql('CREATE TABLE item (id int PRIMARY KEY, text text); INSERT INTO item VALUES (0)')
    const first = await readUntil(0, undefined, (error) => {
      throw error
    })
    data.take(12)
    await postgres.sql("INSERT INTO item SELECT i, repeat('x', 1000) FROM generate_series(1, 8000) i")
    const problems: ConnectError[] = []
    const second = await readUntil(8000, first.offsets, (error) => {
      problems.push(error)
      if (problems.length === 2) data.giveBack()
    })
    expect(problems.length).toBeGreaterThanOrEqual(2)
    expect(problems[0]).toMatchObject({ code: 'PG_53100' })
    expect(second.ids).toEqual(Array.from({ length: 8000 }, (_, n) => n + 1))

    // Without a place for its log the server ends all sessions, and does not come up or go on before there is one.
    const reading = readUntil(-1, second.offsets, () => undefined)
    log.take(24)
    let failed: unknown
    for (let id = 10_000; failed === undefined && id < 100_000; id += 1000) {
      failed = await postgres
        .sql(`INSERT INTO item SELECT i, repeat('y', 2000) FROM generate_series(${id}, ${id + 999}) i`)
        .then(
          () => undefined,
          (error: unknown) => error,
        )
    }
    expect(failed).toBeDefined()
    log.giveBack()
    await until('the server to answer again', async () => {
      if (!isRunning(postgres.pid())) await postgres.start()
      return postgres.sql('SELECT 1').then(
        () => true,
        () => false,
      )
    })
    await postgres.sql('INSERT INTO item VALUES (-1)')
    const third = await reading
    const rows = (await postgres.sql('SELECT id FROM item WHERE id >= 10000 ORDER BY id')).map(({ id }) => id)
    expect(rows.length).toBeGreaterThan(0)
    expect(third.ids).toEqual([...rows, -1])
  })
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
