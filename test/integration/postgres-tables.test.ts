/** From table to table through a worker: postgres-query into a topic, postgres-sink with positions of its own out of it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../core/src/client/log-client.ts'
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts'
import { newPlace, startPlatform, type Place, type Platform } from '../support/tidewire.ts'
import { until } from '../support/until.ts'
import { restClient } from '../support/worker.ts'

const missing = await postgresMissing()
const topic = 'tables-orders'

describe.skipIf(missing !== undefined)(`from table to table${missing === undefined ? '' : ` (${missing})`}`, () => {
  let postgres: TestPostgres
  let place: Place & { remove: () => Promise<void> }
  let platform: Platform

  beforeAll(async () => {
    place = await newPlace()
    ;[postgres, platform] = await Promise.all([
      startPostgres({ version: 'debian' }),
      startPlatform(place, { args: ['--empty'] }),
    ])
  })
  afterAll(async () => {
    await platform.stop('SIGKILL')
    await place.remove()
    await postgres.close()
  })

  test('rows come through once; a topic made anew is told, and written from its beginning once the offsets are deleted', async () => {
    const { ask, deploy, reaches } = restClient(platform.rest)
    const call = async (method: 'PUT' | 'DELETE', path: string) => {
      const { status, body } = await ask(method, path)
      if (status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(body)}`)
    }
    const stop = async (name: string) => {
      await call('PUT', `/connectors/${name}/stop`)
      await reaches(name, 'STOPPED')
    }
    const add = (count: number) =>
      postgres.sql(`INSERT INTO orders (note) SELECT 'x' FROM generate_series(1, ${count})`)
    const copied = async () => (await postgres.sql('SELECT id::int FROM copy ORDER BY id')).map(({ id }) => id)
    const numbers = (count: number) => Array.from({ length: count }, (_, n) => n + 1)
    const reachesCount = (count: number) => until(`${count} rows`, async () => (await copied()).length >= count)

    await postgres.sql('CREATE TABLE orders (id serial PRIMARY KEY, note text); CREATE TABLE copy (id int, note text)')
    const connection = {
      'connection.url': `jdbc:postgresql://${postgres.host}:${postgres.port}/${postgres.database}`,
      'connection.user': postgres.user,
      'key.converter': 'json',
      'value.converter': 'json',
    }
    await add(50)
    await deploy('read', {
      ...connection,
      'connector.class': 'postgres-query',
      mode: 'incrementing',
      'incrementing.column.name': 'id',
      'table.whitelist': 'orders',
      'topic.prefix': 'tables-',
      'poll.interval.ms': '50',
    })
    await deploy('write', {
      ...connection,
      'connector.class': 'postgres-sink',
      topics: topic,
      'table.name.format': 'copy',
      'exactly.once': 'true',
    })
    await reachesCount(50)
    await call('PUT', '/connectors/read/pause')
    await reaches('read', 'PAUSED', 1)
    await add(10)
    await call('PUT', '/connectors/read/resume')
    await reachesCount(60)
    expect(await copied()).toEqual(numbers(60))

    await stop('write')
    await stop('read')
    const client = createClient({ bootstrapServers: [`127.0.0.1:${place.logPort}`], clientId: 'test' })
    await client.admin.deleteTopics([topic])
    await until('the topic to be gone', async () => (await client.admin.topics([topic])).length === 0)
    await add(40)
    await call('DELETE', '/connectors/read/offsets')
    await call('PUT', '/connectors/read/resume')
    const end = async () => (await client.admin.offsets([{ topic, partition: 0 }], 'latest'))[0]!.offset
    await until('the topic to be there', async () => (await client.admin.topics([topic])).length === 1)
    // More than the position that is stored: by offsets alone it could be the topic of before.
    await until('its records', async () => (await end()) >= 100)
    await client.close()

    await call('PUT', '/connectors/write/resume')
    const failed = await until('the sink to fail', async () => {
      const { tasks } = await restClient(platform.rest).status('write')
      return tasks.find(({ state }) => state === 'FAILED')
    })
    expect(failed.trace).toMatch(/tables-orders-0 is written up to .*, and the topic was made anew/)
    expect(await copied()).toEqual(numbers(60))

    await stop('write')
    await postgres.sql('TRUNCATE copy')
    await call('DELETE', '/connectors/write/offsets')
    await call('PUT', '/connectors/write/resume')
    await reachesCount(100)
    expect(await copied()).toEqual(numbers(100))
  })
})
