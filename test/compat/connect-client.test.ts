/** A client of Kafka Connect's REST API that others wrote, kafka-connect-py of Python's package index, drives a worker. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { pythonClients, pythonMissing, type Scenario } from '../support/python-clients.ts'
import { testWorker, type TestWorker } from '../support/worker.ts'

const missing = await pythonMissing()

describe.skipIf(missing !== undefined)(`kafka-connect-py${missing === undefined ? '' : ` (${missing})`}`, () => {
  let broker: TestBroker
  let worker: TestWorker
  let scenario: Scenario

  beforeAll(async () => {
    scenario = await pythonClients(['kafka-connect-py==1.0.0'])
    broker = await testBroker()
    worker = await testWorker(broker.address)
  })
  afterAll(async () => {
    await worker.close()
    await broker.close()
  })

  const run = (name: string) => scenario('kafka_connect_scenarios.py', name, worker.url)

  test('leads a connector from its creation to its end, by every call it has for one', async () => {
    expect(await run('life')).toEqual({
      cluster: ['commit', 'kafka_cluster_id', 'version'],
      created: ['one', 'source'],
      status: ['one', 'source', [0]],
      listed: ['one'],
      running: ['one'],
      info: [{ connector: 'one', task: 0 }],
      config: true,
      tasks: [{ connector: 'one', task: 0 }],
      task: 'RUNNING',
      topics: ['one'],
      updated: '10',
      restarted: null,
      restarting: ['RESTARTING', 'RESTARTING'],
      after: [],
    })
  })

  test('pauses, resumes, restarts, stops and deletes many, chosen by name and state', async () => {
    expect(await run('many')).toEqual({ paused: ['a1', 'a2'], after: [] })
  })

  test('understands what is refused, and why a config would be', async () => {
    expect(await run('refusals')).toEqual({
      again: 409,
      wrong: 400,
      unknown: 404,
      validated: [0, 1],
      plugin: 'source',
    })
  })
})
