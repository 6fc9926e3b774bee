import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadLogSecurity, parseJaas } from './log-security.ts'
import { parseWorkerConfig } from './worker-settings.ts'

const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule'
const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule'

const load = (raw: Record<string, string>) => {
  const { config, errors } = parseWorkerConfig(raw)
  expect(errors).toEqual({})
  return loadLogSecurity(config)
}

test.each([
  [`${plain} required username="alice" password="secret";`, { username: 'alice', password: 'secret' }],
  [
    `  ${scram}  required\n username='a"b'\n  password="c\\"d\\\\e'f;g=h" ; `,
    { username: 'a"b', password: `c"d\\e'f;g=h` },
  ],
  [`${scram} REQUIRED username=alice password=secret-1;`, { username: 'alice', password: 'secret-1' }],
  [`${scram} required;`, {}],
  [`${scram} required password="" username="x";`, { username: 'x', password: '' }],
])('JAAS: %s', (text, options) => {
  expect(parseJaas(text).options).toEqual(options)
})

test.each([
  '',
  scram,
  `${scram} required username="alice" password="secret"`,
  `${scram} required username="alice password="secret";`,
  `${scram} required username="alice" password="secret"; ${scram} required;`,
  `${scram} username="alice" password="secret";`,
])('JAAS that is none, with nothing of it in the message: %s', (text) => {
  expect(() => parseJaas(text)).toThrow(/^sasl\.jaas\.config: expected/)
  expect(() => parseJaas(text)).not.toThrow(/alice|secret/)
})

test('nothing is secured by default', async () => {
  expect(await load({})).toEqual({})
})

test('the settings of a worker on a secured Kafka', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
  const caFile = join(folder, 'ca.pem')
  const ca = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n'
  await writeFile(caFile, ca)
  const raw = {
    'security.protocol': 'SASL_SSL',
    'sasl.mechanism': 'SCRAM-SHA-512',
    'sasl.jaas.config': `${scram} required username="alice" password="secret";`,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': caFile,
    'ssl.endpoint.identification.algorithm': '',
  }
  expect(await load(raw)).toEqual({
    tls: { ca, verifyHost: false, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' },
    sasl: { mechanism: 'SCRAM-SHA-512', username: 'alice', password: 'secret' },
  })
  await rm(folder, { recursive: true })
})

test.each([
  [{ 'security.protocol': 'SASL_SSL' }, 'sasl.mechanism: needed with SASL_SSL'],
  [{ 'security.protocol': 'SASL_PLAINTEXT', 'sasl.mechanism': 'PLAIN' }, 'sasl.jaas.config: needed'],
  [
    {
      'security.protocol': 'SASL_PLAINTEXT',
      'sasl.mechanism': 'PLAIN',
      'sasl.jaas.config': `${scram} required username="alice" password="secret";`,
    },
    'PLAIN needs a PlainLoginModule',
  ],
  [
    {
      'security.protocol': 'SASL_PLAINTEXT',
      'sasl.mechanism': 'PLAIN',
      'sasl.jaas.config': `${plain} required username="alice";`,
    },
    'username and password',
  ],
  [
    { 'security.protocol': 'SSL', 'ssl.truststore.location': '/nowhere/ca.pem' },
    'ssl.truststore.location: /nowhere/ca.pem',
  ],
  [{ 'security.protocol': 'SSL', 'ssl.truststore.certificates': 'x' }, 'ssl.truststore.*'],
])('what is missing or wrong is named: %j', async (raw, message) => {
  const failed = load(raw)
  await expect(failed).rejects.toThrow(message)
  await expect(failed).rejects.not.toThrow('secret')
})

test('what is not there is refused by name, and secrets are not shown', () => {
  const { errors } = parseWorkerConfig({
    'security.protocol': 'SASL_OAUTH',
    'sasl.mechanism': 'GSSAPI',
    'sasl.kerberos.service.name': 'kafka',
    'ssl.keystore.password': 'hidden-1',
    'ssl.truststore.type': 'JKS',
  })
  expect(Object.keys(errors).sort()).toEqual([
    'sasl.kerberos.service.name',
    'sasl.mechanism',
    'security.protocol',
    'ssl.keystore.password',
    'ssl.truststore.type',
  ])
  expect(JSON.stringify(errors)).not.toContain('hidden-1')
})
