/** Our client on an Apache Kafka that asks for TLS and for who it is. */
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClientSecurity } from '../../core/src/client/client.ts'
import { Connection } from '../../core/src/client/connection.ts'
import { metadata } from '../../core/src/protocol/messages/metadata.ts'
import { temporaryFolder } from '../support/broker.ts'
import { ownKafkaMissing, testKafka, type TestKafka } from '../support/kafka.ts'
import { makeCertificates, testUser, type TestCertificates } from '../support/security.ts'
import { freePorts } from '../support/tidewire.ts'

const missing = await ownKafkaMissing()

describe.skipIf(missing !== undefined)(`client on a secured Apache Kafka ${missing ?? ''}`, () => {
  // A password that needs no quoting in Kafka's own command line and settings.
  const user = { username: testUser.username, password: 'wonderland' }
  const login = 'org.apache.kafka.common.security'
  let kafka: TestKafka
  let folder: string
  let certificates: TestCertificates
  let plaintextPort: number
  let tlsPort: number

  beforeAll(async () => {
    folder = await temporaryFolder()
    certificates = await makeCertificates(folder)
    ;[plaintextPort, tlsPort] = (await freePorts(2)) as [number, number]
    const mechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512']
    const scram = mechanisms.flatMap((mechanism) => ['sasl_plaintext', 'sasl_ssl'].map((name) => [mechanism, name]))
    kafka = await testKafka({
      listeners: [`SASL_PLAINTEXT://127.0.0.1:${plaintextPort}`, `SASL_SSL://127.0.0.1:${tlsPort}`],
      users: mechanisms.flatMap((each) => ['--add-scram', `${each}=[name=${user.username},password=${user.password}]`]),
      settings: {
        'listener.security.protocol.map':
          'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
        'sasl.enabled.mechanisms': ['PLAIN', ...mechanisms].join(','),
        'listener.name.sasl_plaintext.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required user_${user.username}="${user.password}";`,
        ...Object.fromEntries(
          scram.map(([mechanism, name]) => [
            `listener.name.${name}.${mechanism!.toLowerCase()}.sasl.jaas.config`,
            `${login}.scram.ScramLoginModule required;`,
          ]),
        ),
        'listener.name.sasl_ssl.sasl.enabled.mechanisms': mechanisms.join(','),
        'listener.name.sasl_plaintext.connections.max.reauth.ms': '3000',
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': certificates.serverFile,
      },
    })
  })
  afterAll(async () => {
    await kafka.close()
    await rm(folder, { recursive: true })
  })

  const open = (port: number, security: ClientSecurity) =>
    Connection.open({ host: '127.0.0.1', port }, { clientId: 'c', requestTimeoutMs: 10_000, ...security })

  // Each waits for Kafka's clock, and none for another.
  test.concurrent.for(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)(
    '%s, renewed in time',
    async (mechanism) => {
      const connection = await open(plaintextPort, { sasl: { mechanism, ...user } })
      // Twice as long as a session lasts, with requests under way at any time, and a machine that has a pause to renew in.
      const end = performance.now() + 6_500
      while (performance.now() < end) {
        const answers = await Promise.all([1, 2].map(() => connection.request(metadata, { topics: [] })))
        expect(answers.map(({ errorCode }) => errorCode)).toEqual([0, 0])
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      expect(connection.closed).toBe(false)
      connection.close()
    },
  )

  test('SCRAM over TLS', async () => {
    const { ca } = certificates
    const connection = await open(tlsPort, { tls: { ca }, sasl: { mechanism: 'SCRAM-SHA-512', ...user } })
    expect((await connection.request(metadata, { topics: [] })).brokers).toHaveLength(1)
    connection.close()
  })

  test('what is wrong is told', async () => {
    const wrong = { mechanism: 'SCRAM-SHA-512', ...user, password: 'wrong' } as const
    await expect(open(plaintextPort, { sasl: wrong })).rejects.toMatchObject({
      code: 'SASL_AUTHENTICATION_FAILED',
      retriable: false,
    })
    await expect(open(tlsPort, { tls: {}, sasl: wrong })).rejects.toMatchObject({ code: 'TLS', retriable: false })
    const notThere = { mechanism: 'PLAIN', ...user } as const
    await expect(open(tlsPort, { tls: { ca: certificates.ca }, sasl: notThere })).rejects.toMatchObject({
      code: 'UNSUPPORTED_SASL_MECHANISM',
      message: expect.stringContaining('SCRAM-SHA-512') as string,
    })
  })
})
