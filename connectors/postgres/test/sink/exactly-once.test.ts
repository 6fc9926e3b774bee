import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseConfig } from '@tidewire/sdk/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { endWithTest } from '../../../../test/support/end-with-test.ts'
import { postgresMissing } from '../../../../test/support/postgres.ts'
import { postgresSink } from '../../sink/sink.ts'
import { customerRecord } from './fixtures.ts'
import { sinkServer } from './sink-database.ts'

const missing = await postgresMissing()
const table = 'CREATE TABLE customers (id bigint, name text, note text, score int)'
const ids = 'SELECT id::int FROM customers ORDER BY id'
const ignore = () => undefined
const exactlyOnce = { 'exactly.once': true }

describe.skipIf(missing !== undefined)(`exactly once ${missing ?? ''}`, () => {
  const { server, database } = sinkServer('debian')

  test('however often the process is killed, each record is there once', async () => {
    const count = 40_000
    const { url, sql } = await database()
    const rows = async () => Number((await sql('SELECT count(*) FROM topic').catch(() => [{ count: 0 }]))[0]!['count'])
    const start = (limit = count) => {
      const script = join(import.meta.dirname, 'sink-process.ts')
      const args = [script, url, server().user, String(count), String(limit)]
      const child = spawn(process.execPath, args, { stdio: 'inherit' })
      endWithTest(child)
      return child
    }
    for (let kills = 1; kills <= 4; kills++) {
      const before = await rows()
      // However late it is killed, it has not come to its end.
      const child = start(8_000 * kills)
      const ended = once(child, 'exit')
      while ((await rows()) < before + 1_000 * kills && child.exitCode === null) await sleep(1)
      child.kill('SIGKILL')
      await ended
      expect(child.signalCode).toBe('SIGKILL')
    }
    const [code] = (await once(start(), 'exit')) as [number]
    expect(code).toBe(0)
    expect(await sql('SELECT count(*)::int, count(DISTINCT n)::int AS distinct, min(n), max(n) FROM topic')).toEqual([
      { count, distinct: count, min: 0, max: count - 1 },
    ])
  })

  test('a task whose partition another one has opened writes nothing more', async () => {
    const { run, sql } = await database(table)
    const [old, young] = [run(exactlyOnce), run(exactlyOnce)]
    await old.put([customerRecord(0, 1, { name: 'old' })])
    await young.open([{ topic: 'customers', partition: 0 }])
    await expect(old.put([customerRecord(1, 2, { name: 'old' })])).rejects.toMatchObject({
      retriable: true,
      code: 'POSTGRES_SINK_FENCED',
    })
    // It has been told to go on at 1.
    await young.put([customerRecord(0, 1, { name: 'young' }), customerRecord(1, 2, { name: 'young' })])
    expect(await sql('SELECT id::int, name FROM customers ORDER BY id')).toEqual([
      { id: 1, name: 'old' },
      { id: 2, name: 'young' },
    ])
  })

  test('a partition is opened only when a transaction of the task before has ended, and goes on behind it', async () => {
    const { run, sql, name } = await database(table)
    const [old, young] = [run(exactlyOnce), run(exactlyOnce)]
    await old.open([{ topic: 'customers', partition: 0 }])
    const blocker = await server().connect({ database: name })
    try {
      await blocker.query('BEGIN; LOCK TABLE customers')
      const putting = old.put([customerRecord(0, 1, { name: 'old' })])
      await expect
        .poll(async () => (await blocker.query('SELECT 1 FROM pg_locks WHERE NOT granted')).rowCount)
        .toBeGreaterThan(0)
      const opening = young.open([{ topic: 'customers', partition: 0 }])
      await expect
        .poll(async () => (await blocker.query('SELECT 1 FROM pg_locks WHERE NOT granted')).rowCount)
        .toBeGreaterThan(1)
      await blocker.query('COMMIT')
      await Promise.all([putting, opening])
    } finally {
      await blocker.end()
    }
    await young.put([customerRecord(0, 1, { name: 'young' }), customerRecord(1, 2, { name: 'young' })])
    expect(await sql(ids)).toEqual([{ id: 1 }, { id: 2 }])
  })

  test('a task that is refused again and again fails: no group gives partitions to two', async () => {
    const { run } = await database(table)
    const [one, other] = [run(exactlyOnce), run(exactlyOnce)]
    const partition = { topic: 'customers', partition: 0 }
    await one.open([partition])
    await other.open([partition])
    const refusals: unknown[] = []
    while ((refusals.at(-1) as { retriable?: boolean } | undefined)?.retriable !== false && refusals.length < 20) {
      refusals.push(await one.put([customerRecord(0, 1, { name: 'a' })]).catch((error: unknown) => error))
    }
    expect(refusals).toHaveLength(10)
    expect(refusals.at(-1)).toMatchObject({ message: expect.stringContaining('another cluster') })
    // Taken away and given back in time it is as good as new.
    await one.close([partition])
    await one.put([customerRecord(0, 1, { name: 'a' })])
  })

  test('a topic made anew is not taken for the one before; a reset forgets what no group knows of', async () => {
    const { run, sql, url } = await database(table)
    const partition = { topic: 'customers', partition: 0 }
    const record = (offset: number) => customerRecord(offset, offset, { name: 'a' })
    const opened = async (topicId?: string, config = {}) => {
      const sink = run({ ...exactlyOnce, ...config })
      await sink.open([{ ...partition, topicId }])
      return sink
    }
    await (await opened('first')).put([record(0), record(1)])
    await expect(opened('second')).rejects.toMatchObject({ code: 'POSTGRES_SINK_TOPIC_ANEW', retriable: false })
    await (await opened('first')).put([record(2)])
    // A log that does not tell ids.
    await (await opened()).put([record(3)])

    const config = parseConfig(postgresSink, {
      'connection.url': url,
      'connection.user': server().user,
      ...exactlyOnce,
    })
    const alter = (offset: number | null, reset: boolean) =>
      postgresSink.alterOffsets!(config, offset === null ? [] : [{ ...partition, offset }], {
        ...{ connector: 'postgres-sink', reset, signal: new AbortController().signal },
        log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      })
    await alter(5, false)
    await (await opened('second')).put([record(4), record(5)])
    expect(await sql(ids)).toEqual([{ id: 0 }, { id: 1 }, { id: 2 }, { id: 3 }, { id: 5 }])
    await alter(null, true)
    expect(await sql('SELECT FROM _tidewire_offsets')).toEqual([])
    await (await opened('third')).put([record(0)])
    expect(await sql('SELECT topic_id, next_offset::int FROM _tidewire_offsets')).toEqual([
      { topic_id: 'third', next_offset: 1 },
    ])
  })

  test('two tasks share a topic', async () => {
    const { run, sql } = await database(table)
    const tasks = [run(exactlyOnce), run(exactlyOnce)]
    for (let offset = 0; offset < 30; offset += 10) {
      await Promise.all(
        tasks.map((task, partition) =>
          task.put(
            Array.from({ length: 10 }, (_, n) => {
              const id = partition * 1_000 + offset + n
              return customerRecord(offset + n, id, { name: 'x' }, { partition })
            }),
          ),
        ),
      )
    }
    expect(await sql('SELECT count(DISTINCT id)::int, count(*)::int AS rows FROM customers')).toEqual([
      { count: 60, rows: 60 },
    ])
    expect(await sql('SELECT "partition", next_offset::int FROM _tidewire_offsets ORDER BY 1')).toEqual([
      { partition: 0, next_offset: 30 },
      { partition: 1, next_offset: 30 },
    ])
  })

  test('a commit whose answer is lost is not done twice', async () => {
    const { url, run, sql } = await database(table)
    // Between sink and server: the first answer to a COMMIT ends the connection.
    let lost = 0
    const proxy = createServer((from) => {
      const to = connect(server().port, server().host)
      from.pipe(to)
      to.on('data', (chunk) => {
        if (lost > 0 || !chunk.includes('COMMIT\0')) return void from.write(chunk)
        lost++
        from.destroy()
        to.destroy()
      })
      for (const socket of [from, to]) socket.on('error', () => undefined)
      to.on('close', () => from.destroy())
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    onTestFinished(() => void proxy.close())
    const { port } = proxy.address() as AddressInfo
    const sink = run({ ...exactlyOnce, 'connection.url': url.replace(`:${server().port}/`, `:${port}/`) })
    const batch = [customerRecord(0, 1, { name: 'a' }), customerRecord(1, 2, { name: 'b' })]
    await expect(sink.put(batch)).rejects.toMatchObject({ retriable: true })
    expect(lost).toBe(1)
    expect(await sql(ids)).toEqual([{ id: 1 }, { id: 2 }])
    await sink.put([...batch, customerRecord(2, 3, { name: 'c' })])
    expect(await sql(ids)).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
  })

  test('a transaction that is still being committed when the connection is made again counts', async () => {
    const { run, sql, name } = await database(table)
    const sink = run(exactlyOnce)
    await sink.put([customerRecord(0, 1, { name: 'a' })])
    await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name LIKE '%postgres-sink%'`)
    const earlier = await server().connect({ database: name })
    try {
      await earlier.query("BEGIN; UPDATE _tidewire_offsets SET next_offset = 2; INSERT INTO customers VALUES (2, 'b')")
      const batch = [customerRecord(1, 2, { name: 'b' })]
      // The first may be what finds the connection broken.
      const putting = sink.put(batch).catch(() => sink.put(batch))
      await expect
        .poll(async () => (await earlier.query('SELECT 1 FROM pg_locks WHERE NOT granted')).rowCount)
        .toBeGreaterThan(0)
      await earlier.query('COMMIT')
      await putting
    } finally {
      await earlier.end()
    }
    expect(await sql(ids)).toEqual([{ id: 1 }, { id: 2 }])
  })

  test('dead letters that are put back have old positions: they are written, and move none', async () => {
    const { run, sql } = await database(table)
    const sink = run(exactlyOnce)
    await sink.put([customerRecord(9, 9, { name: 'a' })])
    const redrive = run(exactlyOnce, { redrive: 'beside' })
    await redrive.put([customerRecord(3, 3, { name: 'letter' })])
    await redrive.flush()
    await sink.put([customerRecord(10, 10, { name: 'b' })])
    expect(await sql(ids)).toEqual([{ id: 3 }, { id: 9 }, { id: 10 }])
    expect(await sql('SELECT next_offset::int FROM _tidewire_offsets')).toEqual([{ next_offset: 11 }])
  })

  test('the table of positions may have another name and schema', async () => {
    const { run, sql } = await database(table, 'CREATE SCHEMA ops')
    await run({ ...exactlyOnce, 'offsets.table.name': 'ops.positions' }).put([customerRecord(0, 1, { name: 'a' })])
    expect(await sql('SELECT connector, topic, next_offset::int FROM ops.positions')).toEqual([
      { connector: 'postgres-sink', topic: 'customers', next_offset: 1 },
    ])
  })
})
