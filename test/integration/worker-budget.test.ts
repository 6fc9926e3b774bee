/** What the tasks of a worker hold together stays within one budget, whichever threads they are in. */
import mqtt from 'mqtt'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { cuttableProxy, type CuttableProxy } from '../support/cuttable-proxy.ts'
import { countable, testHosts, type TestHosts } from '../support/task-hosts.ts'
import { freePorts } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

let broker: TestBroker
let proxy: CuttableProxy
let hosts: TestHosts

beforeAll(async () => {
  broker = await testBroker()
})

afterEach(async () => {
  await hosts.close()
  await proxy.close()
})

afterAll(async () => broker.close())

const MiB = 1024 * 1024
const guaranteedMiB = 0.5
const endless = { end: '1000000000', 'batch.size': '100' }

/** From `… (1.2 MiB) …`. */
function heldMiB(trace: string | undefined): number {
  const [, number, unit] = /\(([\d.]+) (bytes|KiB|MiB)\)/.exec(trace ?? '') ?? []
  return Number(number) / { bytes: MiB, KiB: 1024, MiB: 1 }[unit as 'MiB']
}

test('while the log is away, sources in two threads gather no more than the budget, and each what it has for sure', async () => {
  proxy = await cuttableProxy(broker.address)
  hosts = await testHosts(proxy.address, {
    'worker.max.buffered.bytes': String(2 * MiB),
    'task.threads': '2',
    // In which both have filled what there is.
    'task.stalled.after.ms': '3000',
    'exactly.once.source.support': 'disabled',
    // A commit of offsets under way at the cut would be what a task waits for the longest.
    'offset.flush.interval.ms': '3600000',
  })
  const sources = ['first', 'second']
  for (const source of sources) {
    await hosts.start(source, countable('counting'), { ...endless, topic: source })
    await until('records', async () => (await hosts.values(source)).length > 0)
  }
  proxy.cut('silent')
  const held: number[] = []
  for (const source of sources) held.push(heldMiB((await hosts.reaches(source, 'STALLED')).trace))
  const sum = held.reduce((a, b) => a + b)
  expect(sum).toBeGreaterThanOrEqual(2)
  // A batch above it each.
  expect(sum).toBeLessThan(2 + sources.length * (guaranteedMiB + 0.1))
  for (const each of held) expect(each).toBeGreaterThanOrEqual(guaranteedMiB)
  proxy.heal()
  for (const source of sources) await hosts.reaches(source, 'RUNNING')
})

test('what a gateway has taken from devices and not given on counts, and is bounded with the rest', async () => {
  proxy = await cuttableProxy(broker.address)
  hosts = await testHosts(proxy.address, {
    'worker.max.buffered.bytes': String(2 * MiB),
    'task.threads': '2',
    'task.stalled.after.ms': '1200',
    'exactly.once.source.support': 'disabled',
    'offset.flush.interval.ms': '3600000',
  })
  const [port] = await freePorts(1)
  const gateway = {
    module: new URL('../../connectors/mqtt/index.ts', import.meta.url).href,
    name: 'mqtt-gateway',
    version: '0.1.0',
  }
  await hosts.start('gateway', gateway, { 'mqtt.port': String(port), 'mqtt.payload.format': 'string' })
  await hosts.start('beside', countable('counting'), { ...endless, topic: 'beside' })
  await hosts.reaches('gateway', 'RUNNING')
  const device = await until('the gateway', async () =>
    mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 }).catch(() => undefined),
  )
  try {
    // Paused, it is not asked: what devices send stays with it.
    await hosts.hosts.pauseTask({ connector: 'gateway', task: 0 })
    await hosts.reaches('gateway', 'PAUSED')
    const payload = 'x'.repeat(32 * 1024)
    const sent = 1024
    for (let i = 0; i < sent; i++) device.publish('sensors/a/b', payload)
    let unsent = -1
    await until('the gateway to stop reading', async () => {
      const before = unsent
      unsent = device.stream.writableLength
      await new Promise((resolve) => setTimeout(resolve, 300))
      return unsent > 0 && unsent === before
    })
    expect(unsent).toBeGreaterThan(16 * MiB)
    proxy.cut('silent')
    const left = heldMiB((await hosts.reaches('beside', 'STALLED')).trace)
    expect(left).toBeLessThan(guaranteedMiB + 0.1)
    proxy.heal()
    await hosts.hosts.resumeTask({ connector: 'gateway', task: 0 })
    await until('all that was sent', async () => (await hosts.values('sensors')).length === sent, 120_000)
  } finally {
    await device.endAsync(true)
  }
})
