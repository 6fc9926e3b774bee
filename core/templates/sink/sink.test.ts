import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { test } from 'node:test'
import { runSink, sinkConformance, sinkRecords } from '@tidewire/sdk/testing'
import { exampleSink } from './sink.ts'

/** A service that keeps the values that it is sent, or answers with `status`. */
async function service() {
  const values: string[] = []
  const answers = { status: 200 }
  const server = createServer((request, response) => {
    void json(request).then((batch) => {
      if (answers.status === 200) values.push(...(batch as { value: string }[]).map(({ value }) => value))
      response.writeHead(answers.status).end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    config: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` },
    answers,
    read: () => values,
    dispose: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

void test('sends again what the service could not take, and rejects what it refuses', async () => {
  const { config, answers, read, dispose } = await service()
  const run = runSink(exampleSink, config)
  const records = sinkRecords(['a', 'b'])
  answers.status = 503
  await assert.rejects(run.put(records), { name: 'RetriableError' })
  answers.status = 200
  await run.put(records)
  assert.deepEqual(read(), ['a', 'b'])
  answers.status = 400
  assert.equal((await run.put(sinkRecords(['c'], { offset: 2 }))).rejected?.length, 1)
  await run.stop()
  dispose()
})

// What every sink has to do.
for (const { name, run } of sinkConformance({ sink: exampleSink, system: service })) {
  void test(name, run)
}
