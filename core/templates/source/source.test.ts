import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { runSource, sourceConformance } from '@tidewire/sdk/testing'
import { exampleSource } from './source.ts'

/** A service with items 1, 2, 3, …, as many as it has been given. */
async function service() {
  let count = 0
  const server = createServer((request, response) => {
    const after = Number(new URL(request.url!, 'http://service').searchParams.get('after'))
    const items = Array.from({ length: Math.max(0, count - after) }, (_, index) => ({ id: after + index + 1 }))
    response.setHeader('content-type', 'application/json').end(JSON.stringify(items))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const config = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/items`,
    topic: 'items',
    'poll.interval.ms': '1',
  }
  return {
    config,
    add: (more: number) => Array.from({ length: more }, () => String(++count)),
    dispose: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

void test('goes on after what was acknowledged', async () => {
  const { config, add, dispose } = await service()
  add(5)
  const first = runSource(exampleSource, config)
  assert.deepEqual(
    (await first.take(5)).map(({ key }) => key),
    ['1', '2', '3', '4', '5'],
  )
  await first.acknowledge(3)
  await first.stop()

  const second = runSource(exampleSource, config, { offsets: first.offsets })
  assert.deepEqual(
    (await second.take(2)).map(({ value }) => value),
    [{ id: 4 }, { id: 5 }],
  )
  await second.stop()
  dispose()
})

// What every source has to do.
for (const { name, run } of sourceConformance({
  source: exampleSource,
  system: service,
  identify: ({ key }) => String(key),
})) {
  void test(name, run)
}
