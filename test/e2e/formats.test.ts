import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePorts, newPlace, startTidewire, type Place, type Running } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

// Records through the log in each format with a schema registry, all served by one `tidewire start`.

const count = 2_000
let place: Place & { remove: () => Promise<void> }
let platform: Running
let registry: string

beforeAll(async () => {
  place = await newPlace()
  const [port] = await freePorts(1)
  registry = `http://127.0.0.1:${port}`
  platform = await startTidewire([
    ...['start', '--data-dir', place.dataDir, '--log-port', String(place.logPort), '--log-level', 'error'],
    ...['--rest-port', String(place.restPort), '--mqtt-port', String(place.mqttPort), '--registry-port', String(port)],
  ])
})

afterAll(async () => {
  await platform.stop()
  await place.remove()
})

async function put(name: string, config: Record<string, string>): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${place.restPort}/connectors/${name}/config`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(config),
  })
  expect(answer.status, await answer.text()).toBe(201)
}

test.each([
  ['avro', 'AVRO', 'io.confluent.connect.avro.AvroConverter'],
  ['json-schema', 'JSON', 'io.confluent.connect.json.JsonSchemaConverter'],
  ['protobuf', 'PROTOBUF', 'io.confluent.connect.protobuf.ProtobufConverter'],
])('%s: a source under our name, a sink under the Java class', async (format, type, javaClass) => {
  const topic = `readings-${format}`
  const file = join(place.dataDir, `${format}.jsonl`)
  await put(`source-${format}`, {
    'connector.class': 'datagen-source',
    'kafka.topic': topic,
    rate: '2000',
    iterations: String(count),
    'value.converter': format,
    'value.converter.schema.registry.url': registry,
  })
  await put(`sink-${format}`, {
    'connector.class': 'file-sink',
    topics: topic,
    file,
    'value.converter': javaClass,
    'value.converter.schema.registry.url': registry,
  })
  const lines = async () => (await readFile(file, 'utf8').catch(() => '')).split('\n').slice(0, -1)
  await until('all records', async () => (await lines()).length >= count)
  const latest = await fetch(`${registry}/subjects/${topic}-value/versions/latest`)
  expect(await latest.json()).toMatchObject({ version: 1, schemaType: type })
  expect((await lines())[0]).toContain('sensor-1')
})
