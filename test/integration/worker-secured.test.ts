/** A worker on a log that asks for TLS and for who it is; and the command that makes its users. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { secureBroker, testUser, type SecureBroker } from '../support/security.ts'
import { until } from '../support/until.ts'
import { testWorker } from '../support/worker.ts'

let broker: SecureBroker
let folder: string
beforeAll(async () => {
  broker = await secureBroker()
  folder = await mkdtemp(join(tmpdir(), 'tidewire-worker-'))
})
afterAll(async () => {
  await broker.close()
  await rm(folder, { recursive: true })
})

const secured = (username: string, password: string): Record<string, string> => ({
  'security.protocol': 'SASL_SSL',
  'sasl.mechanism': 'SCRAM-SHA-512',
  'sasl.jaas.config': `org.apache.kafka.common.security.scram.ScramLoginModule required username="${username}" password="${password}";`,
  'ssl.truststore.type': 'PEM',
  'ssl.truststore.location': broker.caFile,
})

/** Runs `tidewire user`; resolves with what it printed. */
const changeUser = (args: readonly string[], input: string): Promise<string> =>
  new Promise((answer, reject) => {
    const command = resolve(import.meta.dirname, '../../core/src/main/tidewire.mjs')
    const child = execFile(process.execPath, [command, 'user', ...args], (error, stdout, stderr) =>
      error === null ? answer(stdout) : reject(new Error(stderr)),
    )
    child.stdin?.end(input)
  })

test('runs a pipeline, in its own threads too', async () => {
  const worker = await testWorker(broker.on('SASL_SSL'), secured(testUser.username, testUser.password))
  const input = join(folder, 'in.txt')
  const output = join(folder, 'out.txt')
  await writeFile(input, 'a\nb\n')
  const strings = { 'value.converter': 'string' }
  await worker.deploy('in', { 'connector.class': 'file-source', file: input, topic: 'lines', ...strings })
  await worker.deploy('out', { 'connector.class': 'file-sink', file: output, topics: 'lines', ...strings })
  await until('two lines', async () => (await readFile(output, 'utf8').catch(() => '')) === 'a\nb\n')
  await worker.close()
})

test('a connector may be somebody else to the log', async () => {
  const worker = await testWorker(broker.on('SASL_SSL'), secured(testUser.username, testUser.password))
  const jaas = (password: string): string => secured(testUser.username, password)['sasl.jaas.config']!
  const input = join(folder, 'own.txt')
  await writeFile(input, 'a\n')
  const config = { 'connector.class': 'file-source', file: input, topic: 'own', 'value.converter': 'string' }
  const name = 'producer.override.sasl.jaas.config'
  await worker.deploy('own', { ...config, [name]: jaas(testUser.password), 'admin.override.client.id': 'admin' })
  const output = join(folder, 'own-out.txt')
  await worker.deploy('own-out', {
    'connector.class': 'file-sink',
    file: output,
    topics: 'own',
    'value.converter': 'string',
    'consumer.override.sasl.jaas.config': jaas(testUser.password),
    'consumer.override.max.poll.records': '1',
  })
  await until('the line', async () => (await readFile(output, 'utf8').catch(() => '')) === 'a\n')
  await expect(worker.deploy('wrong', { ...config, 'producer.override.acks': '0' })).rejects.toThrow(
    /producer\.override\.acks: expected one of/,
  )
  await worker.close()
})

test('a wrong password ends the start, and is not in what it says', async () => {
  const failed = testWorker(broker.on('SASL_SSL'), secured(testUser.username, 'not the password'))
  await expect(failed).rejects.toThrow(/user alice \(SCRAM-SHA-512\).*SASL_AUTHENTICATION_FAILED/)
  await expect(failed).rejects.not.toThrow('not the password')
})

test('settings that do not fit together end the start before anything is tried', async () => {
  const rest = { 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'PLAIN' }
  await expect(testWorker(broker.on('SASL_SSL'), rest)).rejects.toMatchObject({ name: 'UserError' })
})

test('tidewire user makes, changes and removes users', async () => {
  const file = join(folder, 'users')
  expect(await changeUser(['carol', '--file', file], 'first\n')).toBe('User carol is set.\n')
  await changeUser(['dave', '-f', file], 'daves')
  await changeUser(['carol', '-f', file], 'second')
  const text = await readFile(file, 'utf8')
  expect(text.match(/^\w+ SCRAM-SHA-\d+/gm)?.sort()).toEqual(
    ['carol', 'dave'].flatMap((user) => [`${user} SCRAM-SHA-256`, `${user} SCRAM-SHA-512`]),
  )
  expect(text).not.toMatch(/first|second|daves/)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  await writeFile(broker.usersFile, text)
  await (await testWorker(broker.on('SASL_SSL'), secured('carol', 'second'))).close()

  await changeUser(['carol', '-f', file, '--remove'], '')
  expect(await readFile(file, 'utf8')).not.toContain('carol')
  await expect(changeUser(['carol', '-f', file, '--remove'], '')).rejects.toThrow('there is no user carol')
  await expect(changeUser(['carol', '-f', file], '')).rejects.toThrow('empty')
})
