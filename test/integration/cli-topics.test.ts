import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClient } from '../../core/src/client/log-client.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { runTidewire, startTidewire } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

// `tidewire topic` and `group` against a real log.

let broker: TestBroker

beforeAll(async () => {
  broker = await testBroker()
})
afterAll(async () => broker.close())

async function tidewire(args: readonly string[], input?: string) {
  const env = { TIDEWIRE_BOOTSTRAP: broker.address }
  return runTidewire(args, { env, ...(input === undefined ? {} : { input }) })
}

const lines = (text: string): unknown[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)

test('a topic is made, written to, listed, described and read', async () => {
  const made = await tidewire(['topic', 'create', 'orders', '--partitions', '2', '--set', 'retention.ms=1234567'])
  expect(made).toEqual({ code: 0, stdout: 'topic orders is made\n', stderr: '' })
  expect((await tidewire(['topic', 'create', 'orders'])).code).toBe(1)

  const written = await tidewire(
    ['topic', 'produce', 'orders', '--key-separator', ':', '--header', 'from=test', '-p', '1'],
    'k1:one\r\nk2:two: 2\nk3:',
  )
  expect(written.stdout).toBe('3 records written to topic orders\n')

  const listed = await tidewire(['topic', 'list', '-o', 'json'])
  expect(JSON.parse(listed.stdout)).toEqual([{ topic: 'orders', partitions: 2, offsets: 3, internal: false }])
  const described = JSON.parse((await tidewire(['topic', 'describe', 'orders', '-o', 'json'])).stdout) as object
  expect(described).toMatchObject({
    topic: 'orders',
    partitions: [
      { partition: 0, earliest: 0, latest: 0 },
      { partition: 1, earliest: 0, latest: 3 },
    ],
    config: { 'retention.ms': '1234567' },
  })

  const tail = await tidewire(['topic', 'tail', 'orders', '-n', '2', '-o', 'json'])
  expect(lines(tail.stdout)).toMatchObject([
    { partition: 1, offset: 1, key: 'k2', value: 'two: 2', headers: [{ key: 'from', value: 'test' }] },
    { partition: 1, offset: 2, key: 'k3', value: '' },
  ])
  expect((await tidewire(['topic', 'tail', 'orders', '--from', 'earliest', '--values', '--limit', '2'])).stdout).toBe(
    'one\ntwo: 2\n',
  )
  expect((await tidewire(['topic', 'tail', 'orders', '--from', '2'])).stdout).toMatch(/^1:2 .* k3 {4}from=test\n$/)
  expect((await tidewire(['topic', 'tail', 'orders', '-n', '0'])).stdout).toBe('')
})

test('what tail prints as JSON, produce takes: bytes, tombstones, headers and timestamps', async () => {
  await tidewire(['topic', 'create', 'from', '--partitions', '1'])
  await tidewire(['topic', 'create', 'to', '--partitions', '1'])
  const records = [
    { key: 'a', value: null, timestamp: '2026-01-31T12:00:00.000Z', headers: [] },
    { key: { base64: '/wA=' }, value: { base64: 'gP8=' }, timestamp: '2026-01-31T12:00:01.000Z', headers: [] },
    { key: null, value: 'ä\n', timestamp: '2026-01-31T12:00:02.000Z', headers: [{ key: 'h', value: null }] },
  ]
  const input = records.map((record) => JSON.stringify(record)).join('\n')
  expect((await tidewire(['topic', 'produce', 'from', '--json'], input)).code).toBe(0)
  const copied = await tidewire(['topic', 'tail', 'from', '--from', 'earliest', '-o', 'json'])
  expect(lines(copied.stdout)).toMatchObject(records)
  expect((await tidewire(['topic', 'produce', 'to', '--json'], copied.stdout)).code).toBe(0)
  const later = await tidewire(['topic', 'tail', 'to', '--from', '2026-01-31T12:00:01Z', '-o', 'json'])
  expect(lines(later.stdout)).toMatchObject(records.slice(1))
  const wrong = await tidewire(['topic', 'produce', 'to', '--json'], '{"value": "x"}\n{"value": 1}\n')
  expect(wrong).toMatchObject({ code: 1, stderr: 'tidewire: line 2: value: expected a text, null or {"base64": …}\n' })
})

test('a record that the log refuses is named by its line, and the others are written', async () => {
  await tidewire(['topic', 'create', 'small', '--partitions', '1', '--set', 'max.message.bytes=300'])
  const { code, stdout, stderr } = await tidewire(['topic', 'produce', 'small'], `a\n${'x'.repeat(1000)}\nb\n`)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '2 records written to topic small\n' })
  expect(stderr).toMatch(/^tidewire: line 2: .*\ntidewire: 1 of 3 records were refused\n$/)
})

test('tail -f goes on with what comes', async () => {
  await tidewire(['topic', 'create', 'live', '--partitions', '2'])
  const env = { TIDEWIRE_BOOTSTRAP: broker.address }
  await tidewire(['topic', 'produce', 'live'], 'The log is up\n')
  const tail = await startTidewire(['topic', 'tail', 'live', '-f'], { env })
  await tidewire(['topic', 'produce', 'live', '--key', 'k'], 'and goes on\n')
  await until('the new record', () => tail.output().stdout.includes('and goes on'))
  await tail.stop('SIGINT')
})

test('the lag of a group, partition by partition', async () => {
  await tidewire(['topic', 'create', 'lagging', '--partitions', '2'])
  await tidewire(['topic', 'produce', 'lagging', '-p', '0'], 'a\nb\nc\n')
  const client = createClient({ bootstrapServers: [broker.address], clientId: 'test' })
  await client.admin.alterGroupOffsets('readers', [
    { topic: 'lagging', partition: 0, offset: 1 },
    { topic: 'lagging', partition: 1, offset: 0 },
  ])
  await client.close()
  const listed = await tidewire(['group', 'list', '-o', 'json'])
  expect(JSON.parse(listed.stdout)).toContainEqual(expect.objectContaining({ group: 'readers', state: 'Empty' }))
  const lag = await tidewire(['group', 'lag', 'readers', '-o', 'json'])
  expect(JSON.parse(lag.stdout)).toMatchObject({
    group: 'readers',
    lag: 2,
    partitions: [
      { topic: 'lagging', partition: 0, offset: 1, end: 3, lag: 2, client: null },
      { topic: 'lagging', partition: 1, offset: 0, end: 0, lag: 0 },
    ],
  })
  const missing = await tidewire(['group', 'lag', 'nope'])
  expect(missing.code).toBe(3)
  expect(missing.stderr).toContain('tidewire group list')
})

test('what is not there, and a log that is not there', async () => {
  for (const args of [
    ['topic', 'tail', 'nope'],
    ['topic', 'describe', 'nope'],
    ['topic', 'produce', 'nope'],
  ]) {
    const { code, stderr } = await tidewire(args, '')
    expect(code).toBe(3)
    expect(stderr).toContain('there is no topic nope')
  }
  expect((await tidewire(['topic', 'tail', 'orders', '-p', '9'])).code).toBe(3)
  expect((await tidewire(['topic', 'tail', 'orders', '--from', 'yesterday'])).code).toBe(2)
  const nobody = await tidewire(['group', 'list', '--bootstrap', '127.0.0.1:1'])
  expect(nobody.code).toBe(4)
  expect(nobody.stderr).toMatch(/^tidewire: no log answers at 127\.0\.0\.1:1 \(ECONNREFUSED\): .*\n$/)
  expect((await tidewire(['topic', 'list', '--bootstrap', 'nonsense'])).code).toBe(2)
})

test('a log with log-ins needs --command-config, and says so', async () => {
  const users = join(broker.dataDir, 'users')
  await runTidewire(['user', 'me', '--file', users], { input: 'secret' })
  const secured = await testBroker({
    config: {
      'log.security.protocol': 'SASL_PLAINTEXT',
      'sasl.users.file': users,
      'sasl.enabled.mechanisms': ['SCRAM-SHA-256'],
    },
  })
  const config = join(broker.dataDir, 'client.properties')
  const login = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="me" password="secret";'
  await writeFile(config, `security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\nsasl.jaas.config=${login}\n`)
  const bootstrap = ['--bootstrap', secured.address]
  expect((await tidewire(['topic', 'list', ...bootstrap, '--command-config', config])).code).toBe(0)
  const refused = await tidewire(['topic', 'list', ...bootstrap])
  expect(refused.code).not.toBe(0)
  expect(refused.stderr).toContain('--command-config')
  await secured.close()
})
