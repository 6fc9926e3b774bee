/** TLS and SASL of the log, with kafkajs, kcat (librdkafka) and our own client. */
import { execFile, execFileSync } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { Kafka, logLevel, type KafkaConfig } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker } from '../../core/src/broker/broker.ts'
import { credentialLines } from '../../core/src/broker/sasl/credentials.ts'
import { withoutUser } from '../../core/src/broker/sasl/users-file.ts'
import type { ClientOptions, ClientSecurity, LogError, SaslOptions } from '../../core/src/client/client.ts'
import { Connection } from '../../core/src/client/connection.ts'
import { createClient, parseAddress } from '../../core/src/client/log-client.ts'
import { createLogger } from '../../core/src/logging/logger.ts'
import { apiVersions } from '../../core/src/protocol/messages/api-versions.ts'
import { metadata } from '../../core/src/protocol/messages/metadata.ts'
import { saslAuthenticate } from '../../core/src/protocol/messages/sasl-authenticate.ts'
import { saslHandshake } from '../../core/src/protocol/messages/sasl-handshake.ts'
import { temporaryFolder, testBroker } from '../support/broker.ts'
import { RawClient } from '../support/raw-client.ts'
import { secureBroker, testUser, type SecureBroker } from '../support/security.ts'

const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
type Mechanism = (typeof mechanisms)[number]

const isKcatInstalled = (() => {
  try {
    execFileSync('kcat', ['-V'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

let broker: SecureBroker
beforeAll(async () => (broker = await secureBroker()))
afterAll(() => broker.close())

describe('kafkajs', () => {
  const roundTrip = async (config: KafkaConfig, topic: string): Promise<string> => {
    process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1'
    const kafka = new Kafka({ logLevel: logLevel.NOTHING, retry: { retries: 0 }, ...config })
    const producer = kafka.producer()
    const consumer = kafka.consumer({ groupId: topic })
    try {
      await producer.connect()
      await producer.send({ topic, messages: [{ value: 'secret' }] })
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      return await new Promise<string>((resolve, reject) => {
        const eachMessage = ({ message }: { message: { value: Buffer | null } }): Promise<void> => {
          resolve(String(message.value))
          return Promise.resolve()
        }
        consumer.run({ eachMessage }).catch(reject)
      })
    } finally {
      await Promise.all([producer.disconnect(), consumer.disconnect()])
    }
  }
  const sasl = (mechanism: Mechanism, user: { username: string; password: string } = testUser) =>
    ({ mechanism: mechanism.toLowerCase() as 'plain', ...user }) as const

  test.for(mechanisms)('%s', async (mechanism) => {
    const config = { brokers: [broker.on('SASL_PLAINTEXT')], sasl: sasl(mechanism) }
    expect(await roundTrip(config, `kafkajs-${mechanism}`)).toBe('secret')
  })

  test('TLS', async () => {
    expect(await roundTrip({ brokers: [broker.on('SSL')], ssl: { ca: broker.ca } }, 'kafkajs-ssl')).toBe('secret')
  })

  test('SCRAM over TLS', async () => {
    const config = { brokers: [broker.on('SASL_SSL')], ssl: { ca: broker.ca }, sasl: sasl('SCRAM-SHA-512') }
    expect(await roundTrip(config, 'kafkajs-sasl-ssl')).toBe('secret')
  })

  test.for(mechanisms)('a wrong password with %s is told', async (mechanism) => {
    const config = { brokers: [broker.on('SASL_PLAINTEXT')], sasl: sasl(mechanism, { ...testUser, password: 'wrong' }) }
    await expect(roundTrip(config, 'never')).rejects.toThrow(/Authentication failed|invalid credentials/)
  })
})

test('kcat is there in CI', () => {
  expect(isKcatInstalled || process.env['CI'] === undefined).toBe(true)
})

describe.skipIf(!isKcatInstalled)('kcat', () => {
  const kcat = (address: string, settings: Record<string, string>, args: readonly string[], input = '') =>
    new Promise<string>((resolve, reject) => {
      const flags = Object.entries(settings).flatMap(([name, value]) => ['-X', `${name}=${value}`])
      const child = execFile(
        'kcat',
        ['-b', address, ...flags, ...args],
        { timeout: 30_000 },
        (error, stdout, stderr) =>
          error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stderr}`)),
      )
      child.stdin?.end(input)
    })
  const roundTrip = async (address: string, settings: Record<string, string>, topic: string): Promise<string> => {
    await kcat(address, settings, ['-P', '-t', topic], 'secret\n')
    return kcat(address, settings, ['-C', '-t', topic, '-e', '-q'])
  }
  const sasl = (mechanism: Mechanism, user: { username: string; password: string } = testUser) => ({
    'sasl.mechanism': mechanism,
    'sasl.username': user.username,
    'sasl.password': user.password,
  })

  test.for(mechanisms)('%s', async (mechanism) => {
    const settings = { 'security.protocol': 'sasl_plaintext', ...sasl(mechanism) }
    expect(await roundTrip(broker.on('SASL_PLAINTEXT'), settings, `kcat-${mechanism}`)).toBe('secret\n')
  })

  test('TLS', async () => {
    const settings = { 'security.protocol': 'ssl', 'ssl.ca.location': broker.caFile }
    expect(await roundTrip(broker.on('SSL'), settings, 'kcat-ssl')).toBe('secret\n')
  })

  test('SCRAM over TLS', async () => {
    const ssl = { 'security.protocol': 'sasl_ssl', 'ssl.ca.location': broker.caFile }
    const settings = { ...ssl, ...sasl('SCRAM-SHA-256') }
    expect(await roundTrip(broker.on('SASL_SSL'), settings, 'kcat-sasl-ssl')).toBe('secret\n')
  })

  test('a wrong password is told', async () => {
    const wrong = sasl('SCRAM-SHA-256', { ...testUser, password: 'wrong' })
    const settings = { 'security.protocol': 'sasl_plaintext', ...wrong }
    await expect(kcat(broker.on('SASL_PLAINTEXT'), settings, ['-L', '-m', '3'])).rejects.toThrow(
      /Authentication failed|Local: Authentication failure|invalid credentials/,
    )
  })
})

describe('our client', () => {
  const withClient = async <T>(
    options: Partial<ClientOptions> & { address: string },
    use: (client: ReturnType<typeof createClient>) => Promise<T>,
  ): Promise<T> => {
    const { address, ...rest } = options
    const client = createClient({ bootstrapServers: [address], clientId: 'test', requestTimeoutMs: 5_000, ...rest })
    try {
      return await use(client)
    } finally {
      await client.close()
    }
  }
  const clusterId = (options: Partial<ClientOptions> & { address: string }) =>
    withClient(options, (client) => client.admin.clusterId())
  const sasl = (mechanism: Mechanism, changes: Partial<SaslOptions> = {}): SaslOptions => ({
    mechanism,
    ...testUser,
    ...changes,
  })

  test.for(mechanisms)('%s', async (mechanism) => {
    const address = broker.on('SASL_PLAINTEXT')
    expect(await clusterId({ address, sasl: sasl(mechanism) })).toEqual(expect.any(String))
  })

  test.for(mechanisms)('%s over TLS', async (mechanism) => {
    const options = { address: broker.on('SASL_SSL'), tls: { ca: broker.ca }, sasl: sasl(mechanism) }
    expect(await clusterId(options)).toEqual(expect.any(String))
  })

  test('large batches over TLS', async () => {
    const values = Array.from({ length: 64 }, (_, i) => Buffer.alloc(100_000, i))
    await withClient({ address: broker.on('SSL'), tls: { ca: broker.ca } }, async (client) => {
      await client.admin.createTopics([{ topic: 'large', partitions: 1, replicationFactor: 1 }])
      const producer = client.producer()
      const { failures } = await producer.produce(values.map((value) => ({ topic: 'large', key: null, value })))
      expect(failures).toEqual([])
      await producer.close()
      const reader = client.reader()
      reader.assign([{ topic: 'large', partition: 0, offset: 0 }])
      const read: Buffer[] = []
      while (read.length < values.length) {
        const batches = await reader.poll({ maxWaitMs: 1_000 })
        for (const { records } of batches) for (const { value } of records) read.push(Buffer.from(value!))
      }
      expect(Buffer.concat(read).equals(Buffer.concat(values))).toBe(true)
      await reader.close()
    })
  })

  test.for(mechanisms)('%s: wrong password and unknown user are told alike, at once', async (mechanism) => {
    const address = broker.on('SASL_PLAINTEXT')
    const messages: string[] = []
    for (const changes of [{ password: 'wrong' }, { username: 'nobody' }, { password: '' }]) {
      const error = await attempt(address, { sasl: sasl(mechanism, changes) })
      expect(error).toMatchObject({ code: 'SASL_AUTHENTICATION_FAILED', retriable: false })
      messages.push(error!.message.replace(/user \w+/, ''))
    }
    expect(new Set(messages).size).toBe(1)
    // What the connection says is what the client says, with no retries.
    const failed = clusterId({ address, sasl: sasl(mechanism, { password: 'wrong' }) })
    await expect(failed).rejects.toMatchObject({ code: 'SASL_AUTHENTICATION_FAILED' })
  })

  test('a certificate that is not trusted, or for another host', async () => {
    const address = broker.on('SSL')
    const { ca } = broker
    expect(await attempt(address, { tls: {} })).toMatchObject({ code: 'TLS', retriable: false })
    const otherHost = address.replace('127.0.0.1', '127.0.0.2')
    // A listener on all addresses, so that the certificate is what is wrong.
    const wide = await secureBroker({
      'log.listeners': ['SSL://0.0.0.0:0'],
      'ssl.keystore.location': broker.serverFile,
    })
    const otherAddress = otherHost.replace(/:\d+/, wide.on('SSL').replace('0.0.0.0', ''))
    expect(await attempt(otherAddress, { tls: { ca } })).toMatchObject({ code: 'TLS', retriable: false })
    expect(await attempt(otherAddress, { tls: { ca, verifyHost: false } })).toBeUndefined()
    await wide.close()
  })

  test('TLS on a plaintext port, and the reverse', async () => {
    const tls = { ca: broker.ca }
    const noTls = await attempt(broker.on('PLAINTEXT'), { tls })
    expect(noTls).toMatchObject({ code: 'NETWORK', message: expect.stringContaining('no TLS on that port') })
    const told = { code: 'TLS', retriable: false, message: expect.stringContaining('speaks TLS only') }
    expect(await attempt(broker.on('SSL'), {})).toMatchObject(told)
    expect(await attempt(broker.on('SASL_SSL'), { sasl: sasl('PLAIN') })).toMatchObject(told)
    await expect(clusterId({ address: broker.on('SSL') })).rejects.toMatchObject(told)
  })

  test('a connection that ends before the first answer, on a port without TLS, is worth another try', async () => {
    const server = createServer((socket) => socket.once('data', () => socket.end()).on('error', () => undefined))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    expect(await attempt(`127.0.0.1:${port}`, {})).toMatchObject({ code: 'NETWORK', retriable: true })
    server.close()
  })

  test('SASL where none is asked for', async () => {
    const error = await attempt(broker.on('PLAINTEXT'), { sasl: sasl('PLAIN') })
    expect(error).toMatchObject({ code: 'ILLEGAL_SASL_STATE', retriable: false })
  })
})

/** Undefined where the connection can be used, for one request at least. */
async function attempt(address: string, security: ClientSecurity): Promise<LogError | undefined> {
  const { host, port } = parseAddress(address)
  try {
    const connection = await Connection.open({ host, port }, { clientId: 'c', requestTimeoutMs: 5_000, ...security })
    await connection.request(metadata, { topics: [] })
    connection.close()
    return undefined
  } catch (error) {
    return error as LogError
  }
}

describe('listeners', () => {
  const told = async (address: string) => {
    const [, host = '', port = ''] = /^\[?([^\]]*)\]?:(\d+)$/.exec(address)!
    const connection = await Connection.open({ host, port: Number(port) }, { clientId: 'c', requestTimeoutMs: 5_000 })
    const { brokers } = await connection.request(metadata, { topics: [] })
    connection.close()
    return brokers.map(({ host: name, port: at }) => `${name}:${at}`)
  }

  test('two of one protocol are told apart by their names, and each tells its clients its own address', async () => {
    const own = await testBroker({
      config: {
        'listener.security.protocol.map': ['INSIDE:PLAINTEXT', 'OUTSIDE:PLAINTEXT'],
        'log.listeners': ['INSIDE://127.0.0.1:0', 'OUTSIDE://127.0.0.1:0', 'PLAINTEXT://[::1]:0'],
        'log.advertised.listeners': ['OUTSIDE://log.example.com:443'],
      },
    })
    const [main = '', inside = '', outside = '', six = ''] = own.listeners.map((each) => each.replace(/^\w+:\/\//, ''))
    expect(own.listeners.map((each) => each.replace(/:.*/, ''))).toEqual([
      'PLAINTEXT',
      'INSIDE',
      'OUTSIDE',
      'PLAINTEXT',
    ])
    expect(await told(main)).toEqual([main])
    expect(await told(inside)).toEqual([inside])
    expect(await told(outside)).toEqual(['log.example.com:443'])
    expect(await told(six)).toEqual([six.replaceAll(/[[\]]/g, '')])
    const client = createClient({ bootstrapServers: [six], clientId: 'six' })
    expect(await client.admin.clusterId()).toEqual(expect.any(String))
    await client.close()
    await own.close()
  })

  test('an encrypted key takes its password; a wrong one is told in one line without it', async () => {
    const folder = await temporaryFolder()
    const encrypted = join(folder, 'encrypted.pem')
    const plain = await readFile(broker.serverFile, 'utf8')
    const key = execFileSync('openssl', ['pkcs8', '-topk8', '-passout', 'pass:open sesame'], { input: plain })
    await writeFile(encrypted, String(key) + plain.slice(plain.indexOf('-----BEGIN CERTIFICATE')))
    const config = { 'log.listeners': ['SSL://127.0.0.1:0'], 'ssl.keystore.location': encrypted }
    const own = await testBroker({ config: { ...config, 'ssl.key.password': 'open sesame' } })
    const address = own.listeners[1]!.replace('SSL://', '')
    expect(await attempt(address, { tls: { ca: broker.ca } })).toBeUndefined()
    await own.close()
    for (const wrong of [{ 'ssl.key.password': 'w0rd' }, {}]) {
      const error = await testBroker({ config: { ...config, ...wrong } }).catch((reason: unknown) => reason as Error)
      expect(error).toMatchObject({ name: 'BrokerStartError', code: 'TLS' })
      expect((error as Error).message).not.toMatch(/w0rd|\n/)
    }
    await rm(folder, { recursive: true, force: true })
  })

  test('an expired certificate, an authority that is not trusted, and no TLS at all: told on both sides', async () => {
    const folder = await temporaryFolder()
    const file = (name: string) => join(folder, name)
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file('key')]
    execFileSync('openssl', ['req', ...ec, '-out', file('csr'), '-subj', '/CN=x'], { stdio: 'ignore' })
    await writeFile(file('ext'), 'subjectAltName=IP:127.0.0.1\n')
    const self = ['-signkey', file('key'), '-extfile', file('ext'), '-out', file('cert'), '-days', '-1']
    execFileSync('openssl', ['x509', '-req', '-in', file('csr'), ...self], { stdio: 'ignore' })
    const expired = await readFile(file('cert'), 'utf8')
    await writeFile(file('both'), (await readFile(file('key'), 'utf8')) + expired)
    const warned: string[] = []
    const own = await startBroker({
      host: '127.0.0.1',
      port: 0,
      dataDir: file('data'),
      logger: createLogger({
        write: (level, message, details) => warned.push(`${level} ${message} ${JSON.stringify(details)}`),
      }),
      config: { 'log.listeners': ['SSL://127.0.0.1:0'], 'ssl.keystore.location': file('both') },
    })
    const address = own.listeners[1]!.replace('SSL://', '')
    const warnings = () => warned.filter((line) => line.startsWith('warn '))
    const expired1 = await attempt(address, { tls: { ca: expired } })
    expect(expired1).toMatchObject({ code: 'TLS', retriable: false, message: expect.stringMatching(/expired/i) })
    expect(await attempt(address, { tls: { ca: broker.ca } })).toMatchObject({ code: 'TLS', retriable: false })
    const plainClient = await attempt(address, {})
    expect(plainClient).toMatchObject({ code: 'TLS', message: expect.stringContaining('speaks TLS only') })
    await expect.poll(warnings).toContainEqual(expect.stringContaining('the client does not speak TLS'))
    const before = warnings().length
    await attempt(`127.0.0.1:${own.port}`, { tls: { ca: broker.ca } })
    await expect.poll(warnings).toContainEqual(expect.stringContaining('a TLS handshake, on a listener without TLS'))
    expect(warnings().slice(before)).toHaveLength(1)
    await own.close()
    await rm(folder, { recursive: true, force: true })
  })
})

test('a handshake under way does not hold up the end of the broker', async () => {
  const dataDir = await temporaryFolder()
  const lines: string[] = []
  const logger = createLogger({ write: (...line) => lines.push(JSON.stringify(line)) })
  const own = await startBroker({
    host: '127.0.0.1',
    port: 0,
    dataDir,
    logger,
    config: { 'log.security.protocol': 'SSL', 'ssl.keystore.location': broker.serverFile },
  })
  const client = connect(own.port, own.host)
  client.on('error', () => undefined)
  const greeted = await attempt(`127.0.0.1:${own.port}`, { tls: { ca: broker.ca } })
  expect(greeted).toBeUndefined()
  const closed = new Promise((resolve) => client.once('close', resolve))
  await own.close()
  client.resume()
  await closed
  // Ended by the broker, not by the time a handshake may take.
  expect(lines.filter((line) => line.includes('timeout'))).toEqual([])
  await rm(dataDir, { recursive: true })
})

describe('client certificates', () => {
  let strict: SecureBroker
  beforeAll(async () => {
    const { caFile } = broker
    strict = await secureBroker({
      'ssl.client.auth': 'required',
      'ssl.keystore.location': broker.serverFile,
      'ssl.truststore.location': caFile,
    })
  })
  afterAll(() => strict.close())

  test('are asked for', async () => {
    const { ca, client } = broker
    const address = strict.on('SSL')
    expect(await attempt(address, { tls: { ca, certificate: client, key: client } })).toBeUndefined()
    expect(await attempt(address, { tls: { ca } })).toMatchObject({ code: 'TLS' })
    expect(await attempt(address, {})).toMatchObject({ message: expect.stringContaining('speaks TLS only') })
    // Of an authority that is not trusted; Node hangs up on it without a word.
    const other = { ca, certificate: strict.client, key: strict.client }
    expect(await attempt(address, { tls: other })).toMatchObject({ code: 'NETWORK' })
  })

  test('may be asked for, and left out', async () => {
    const { ca, client, caFile } = broker
    const asking = await secureBroker({
      'ssl.client.auth': 'requested',
      'ssl.keystore.location': broker.serverFile,
      'ssl.truststore.location': caFile,
    })
    const address = asking.on('SSL')
    expect(await attempt(address, { tls: { ca } })).toBeUndefined()
    expect(await attempt(address, { tls: { ca, certificate: client, key: client } })).toBeUndefined()
    const other = { ca, certificate: strict.client, key: strict.client }
    expect(await attempt(address, { tls: other })).toMatchObject({ name: 'LogError' })
    await asking.close()
  })
})

describe('on the wire', () => {
  const portOf = (address: string): number => Number(address.split(':')[1])
  const open = () => RawClient.connect(portOf(broker.on('SASL_PLAINTEXT')))

  test('nothing but versions and SASL before authentication', async () => {
    const client = await open()
    const { apiKeys } = await client.request(apiVersions, 3, { clientSoftwareName: 'x', clientSoftwareVersion: '1' })
    expect(apiKeys.map(({ apiKey }) => apiKey)).toEqual(
      expect.arrayContaining([saslHandshake.key, saslAuthenticate.key]),
    )
    await expect(client.request(metadata, 1, { topics: null })).rejects.toThrow('closed')

    // Nor in the middle of the exchange.
    const second = await open()
    await second.request(saslHandshake, 1, { mechanism: 'SCRAM-SHA-256' })
    await expect(second.request(metadata, 1, { topics: null })).rejects.toThrow('closed')
  })

  test('an unknown mechanism is answered with those there are', async () => {
    const client = await open()
    const { errorCode, mechanisms: offered } = await client.request(saslHandshake, 1, { mechanism: 'GSSAPI' })
    expect([errorCode, offered]).toEqual([33, [...mechanisms]])
    await expect(client.request(saslHandshake, 1, { mechanism: 'PLAIN' })).rejects.toThrow('closed')
  })

  const tokens: readonly (readonly [Mechanism, string | Buffer])[] = [
    ...mechanisms.flatMap((mechanism) =>
      ['', 'x', '\0', '\0\0', '\0\0\0\0', 'n,,', 'n,,n=,r=', 'n,,n=alice', 'n,,n=alice,r=', 'n,,n=a=41,r=x'].map(
        (token) => [mechanism, token] as const,
      ),
    ),
    ['PLAIN', '\0alice\0'],
    ['PLAIN', `mallory\0alice\0${testUser.password}`],
    ['PLAIN', Buffer.from([0, 0xff, 0xfe, 0, 0x80])],
    ['PLAIN', `\0alice\0${'x'.repeat(100_000)}`],
    ['SCRAM-SHA-256', 'p=tls-unique,,n=alice,r=abc'],
    ['SCRAM-SHA-256', 'n,a=mallory,n=alice,r=abc'],
    ['SCRAM-SHA-256', 'n,,m=must,n=alice,r=abc'],
    ['SCRAM-SHA-256', 'n,,n=alice,r=abc,tokenauth=true'],
    ['SCRAM-SHA-512', Buffer.alloc(1000, 0xff)],
    ['SCRAM-SHA-512', `n,,n=${'a'.repeat(5000)},r=abc`],
  ]

  test('garbage for a token fails the authentication, and ends the connection', async () => {
    await Promise.all(
      tokens.map(async ([mechanism, token]) => {
        const client = await open()
        await client.request(saslHandshake, 1, { mechanism })
        const answer = await client.request(saslAuthenticate, 2, { authBytes: Buffer.from(token) })
        const what = `${mechanism} ${String(token).slice(0, 40)}`
        expect([answer.errorCode, answer.authBytes.length], what).toEqual([58, 0])
        await expect(client.request(apiVersions, 0, {}), what).rejects.toThrow('closed')
      }),
    )
  })

  test.for([
    '',
    'c=biws',
    'c=eSws,r=NONCE,p=AAAA',
    'c=biws,r=other,p=AAAA',
    'c=biws,r=NONCE,p=%%',
    'c=biws,r=NONCE,p=AAAA',
    'c=biws,r=NONCE',
  ])('garbage for the final message of SCRAM: %s', async (final) => {
    const client = await open()
    await client.request(saslHandshake, 1, { mechanism: 'SCRAM-SHA-256' })
    const first = await client.request(saslAuthenticate, 1, { authBytes: Buffer.from('n,,n=alice,r=abc') })
    const nonce = /^r=([^,]+)/.exec(String(first.authBytes))![1]!
    const answer = await client.request(saslAuthenticate, 1, { authBytes: Buffer.from(final.replace('NONCE', nonce)) })
    expect(answer.errorCode).toBe(58)
    await expect(client.request(apiVersions, 0, {})).rejects.toThrow('closed')
  })

  test('a token before the handshake, and a second handshake', async () => {
    const early = await open()
    expect(await early.request(saslAuthenticate, 2, { authBytes: Buffer.from('\0a\0b') })).toMatchObject({
      errorCode: 34,
    })
    const twice = await open()
    await twice.request(saslHandshake, 1, { mechanism: 'PLAIN' })
    expect(await twice.request(saslHandshake, 1, { mechanism: 'PLAIN' })).toMatchObject({ errorCode: 34 })
  })

  test('who is not there yet may not send large requests', async () => {
    const socket = connect(portOf(broker.on('SASL_PLAINTEXT')), '127.0.0.1')
    const head = Buffer.alloc(8)
    head.writeInt32BE(1024 * 1024)
    await closedAfter(socket, head)
  })

  test('what is no TLS on a TLS port, and TLS on a plaintext port', async () => {
    await closedAfter(connect(portOf(broker.on('SSL')), '127.0.0.1'), Buffer.alloc(100, 1))
    const tls = connectTls({ port: portOf(broker.on('PLAINTEXT')), host: '127.0.0.1' })
    await closedAfter(tls)
    // Nobody else has noticed.
    const client = await RawClient.connect(portOf(broker.on('PLAINTEXT')))
    expect((await client.request(metadata, 1, { topics: [] })).brokers).toHaveLength(1)
    client.close()
  })

  async function closedAfter(socket: Socket, bytes?: Buffer): Promise<void> {
    socket.on('error', () => undefined)
    socket.resume()
    const closed = new Promise((resolve) => socket.once('close', resolve))
    if (bytes !== undefined) socket.write(bytes)
    await closed
  }
})

test('users come and go with no restart', async () => {
  const own = await secureBroker()
  const tryAs = async (username: string, password: string) => {
    const options = { bootstrapServers: [own.on('SASL_PLAINTEXT')], clientId: 'c' }
    const client = createClient({ ...options, sasl: { mechanism: 'SCRAM-SHA-256', username, password } })
    try {
      await client.admin.clusterId()
      return 'in'
    } catch (error) {
      return (error as { code: string }).code
    } finally {
      await client.close()
    }
  }
  const lines = await credentialLines('bob the %builder', 'n,e=w')
  await writeFile(own.usersFile, lines.join('\n'))
  expect(await tryAs(testUser.username, testUser.password)).toBe('SASL_AUTHENTICATION_FAILED')
  expect(await tryAs('bob the %builder', 'n,e=w')).toBe('in')
  await writeFile(own.usersFile, withoutUser(lines.join('\n'), 'bob the %builder'))
  expect(await tryAs('bob the %builder', 'n,e=w')).toBe('SASL_AUTHENTICATION_FAILED')
  await writeFile(own.usersFile, 'not a line of such a file')
  expect(await tryAs(testUser.username, testUser.password)).toBe('SASL_AUTHENTICATION_FAILED')
  await own.close()
})

test('a session ends unless it is renewed; our client renews it with requests under way', async () => {
  const own = await secureBroker({ 'connections.max.reauth.ms': 1000 })
  const raw = await RawClient.connect(Number(own.on('SASL_PLAINTEXT').split(':')[1]))
  await raw.request(saslHandshake, 1, { mechanism: 'PLAIN' })
  const authBytes = Buffer.from(`\0${testUser.username}\0${testUser.password}`)
  expect(await raw.request(saslAuthenticate, 2, { authBytes })).toMatchObject({ errorCode: 0, sessionLifetimeMs: 1000 })
  const [host = '', port] = own.on('SASL_PLAINTEXT').split(':')
  const connection = await Connection.open(
    { host, port: Number(port) },
    { clientId: 'c', requestTimeoutMs: 5_000, sasl: { mechanism: 'SCRAM-SHA-512', ...testUser } },
  )
  const until = performance.now() + 2500
  while (performance.now() < until) {
    const answers = await Promise.all([1, 2, 3].map(() => connection.request(metadata, { topics: [] })))
    expect(answers.map(({ errorCode }) => errorCode)).toEqual([0, 0, 0])
  }
  expect(connection.closed).toBe(false)
  await expect(raw.request(metadata, 1, { topics: [] })).rejects.toThrow('closed')
  connection.close()
  await own.close()
})
