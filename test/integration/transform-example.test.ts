/** The chain of Kafka Connect's transforms that docs/transforms.md shows, in a worker. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { testBroker } from '../support/broker.ts'
import { readTopic } from '../support/read-topic.ts'
import { testWorker } from '../support/worker.ts'

test('config/examples/datagen-transforms.json', async () => {
  const file = new URL('../../config/examples/datagen-transforms.json', import.meta.url)
  const body = JSON.parse(await readFile(file, 'utf8')) as { name: string; config: Record<string, string> }
  const broker = await testBroker()
  const worker = await testWorker(broker.address)
  try {
    const config = { ...body.config, rate: '0', iterations: '3', devices: '2' }
    expect(await worker.ask('POST', '/connectors', { ...body, config })).toMatchObject({ status: 201 })
    const port = Number(broker.address.split(':')[1])
    const records = await readTopic(port, 'north.readings', (seen) => seen.length >= 3)
    const shown = records.map(({ key, value }) => [JSON.parse(key!) as unknown, JSON.parse(value) as unknown])
    expect(shown).toHaveLength(3)
    for (const [key, value] of shown) {
      expect(key).toEqual({ site: 'north', device: expect.stringMatching(/^sensor-[12]$/) as string })
      expect(value).toEqual({
        device: expect.stringMatching(/^sensor-[12]$/) as string,
        measured_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
        temperature: expect.any(Number) as number,
        humidity: expect.toSatisfy(Number.isInteger) as number,
        battery: expect.toSatisfy(Number.isInteger) as number,
        site: 'north',
      })
    }
  } finally {
    await worker.close()
    await broker.close()
  }
})
