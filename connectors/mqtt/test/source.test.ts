import mqtt, { type IClientPublishOptions, type MqttClient } from 'mqtt'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { hasMosquitto, type Mosquitto, startMosquitto } from '../../../test/support/mosquitto.ts'
import { until } from '../../../test/support/until.ts'
import { Drive, type DriveOptions } from './drive.ts'

const versions = ['3.1.1', '5'] as const

describe.skipIf(!hasMosquitto())('mqtt-source with mosquitto', () => {
  let broker: Mosquitto
  let publisher: MqttClient
  const running: Drive[] = []
  let names = 0

  beforeAll(async () => {
    broker = await startMosquitto({ survivesKill: true })
    publisher = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`, { reconnectPeriod: 50 })
    publisher.on('error', () => undefined)
  })
  afterAll(async () => {
    await publisher.endAsync(true)
    await broker.stop()
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((drive) => drive.stop()))
  })

  /** A topic and a connector of its own for each test, since sessions stay on the broker. */
  function unique(): string {
    return `t${++names}`
  }

  async function run(name: string, config: Record<string, string | number>, options?: DriveOptions): Promise<Drive> {
    const drive = new Drive(
      'mqtt-source',
      {
        'mqtt.server.uri': `tcp://127.0.0.1:${broker.port}`,
        'mqtt.topics': `${name}/#`,
        'kafka.topic': 'out',
        ...config,
      },
      { connector: name, ...options },
    )
    running.push(drive)
    await drive.untilLogged('subscribed')
    return drive
  }

  async function publish(topic: string, values: readonly string[], options: IClientPublishOptions = { qos: 1 }) {
    for (const value of values) await publisher.publishAsync(topic, value, options)
  }

  const sequence = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, index) => String(from + index))

  describe.each(versions)('MQTT %s', (version) => {
    test.each([0, 1, 2] as const)('receives QoS %i in order, with its headers', async (qos) => {
      const name = unique()
      const drive = await run(name, { 'mqtt.version': version, 'mqtt.qos': 2, 'mqtt.topics': `${name}/{device}/+` })
      await publish(`${name}/d1/temp`, sequence(0, 300), { qos })
      await drive.untilRecords(300)
      expect(drive.values).toEqual(sequence(0, 300))
      expect(drive.records[0]).toMatchObject({ topic: 'out', key: 'd1' })
      expect(drive.records[0]!.headers!.map(({ key, value }) => [key, value])).toEqual([
        ['mqtt.topic', `${name}/d1/temp`],
        ['mqtt.qos', qos],
        ['mqtt.retain', false],
        ['mqtt.dup', false],
      ])
    })

    test.each([1, 2] as const)('leaves QoS %i messages with the broker until they are durable', async (qos) => {
      const name = unique()
      const config = { 'mqtt.version': version, 'mqtt.qos': qos }
      const first = await run(name, config, { acknowledging: false })
      await publish(name + '/a', sequence(0, 10), { qos })
      await first.untilRecords(10)
      await first.acknowledge(0)
      await first.stop()

      const second = await run(name, config, { offsets: first.offsets })
      await second.untilRecords(10)
      expect(second.values).toEqual(sequence(0, 10))
      expect(second.records[0]!.headers).toContainEqual(expect.objectContaining({ key: 'mqtt.dup', value: true }))
      await publish(name + '/a', ['last'], { qos })
      await second.untilRecords(11)
      await second.stop()

      const third = await run(name, config, { offsets: second.offsets })
      await publish(name + '/a', ['next'], { qos })
      await third.untilRecords(1)
      expect(third.values).toEqual(['next'])
    })

    test('goes on after more messages than may be unacknowledged at once', async () => {
      const name = unique()
      const drive = await run(name, { 'mqtt.version': version }, { acknowledging: false })
      await publish(name + '/a', sequence(0, 200))
      // mosquitto sends twenty and waits; each batch has to come without waiting for more.
      const given = (await drive.untilRecords(1), drive.records.length)
      expect(given).toBeLessThanOrEqual(200)
      drive.acknowledging = true
      await drive.acknowledge()
      await drive.untilRecords(200)
      expect(drive.values).toEqual(sequence(0, 200))
    })

    test('keeps what comes while it is away', async () => {
      const name = unique()
      const first = await run(name, { 'mqtt.version': version })
      await publish(name + '/a', ['before'])
      await first.untilRecords(1)
      await first.stop()
      await publish(name + '/a', sequence(0, 50))
      const second = await run(name, { 'mqtt.version': version }, { offsets: first.offsets })
      await second.untilRecords(50)
      expect(second.values).toEqual(sequence(0, 50))
      expect(second.logs.join()).toContain('"sessionPresent":true')
    })

    test('gives up subscriptions that the config no longer has', async () => {
      const name = unique()
      const first = await run(name, { 'mqtt.version': version, 'mqtt.topics': `${name}/old,${name}/kept` })
      await until('the subscriptions to be stored', () => [...first.offsets].length > 0)
      await first.stop()
      const second = await run(
        name,
        { 'mqtt.version': version, 'mqtt.topics': `${name}/kept,${name}/new` },
        { offsets: first.offsets },
      )
      for (const topic of ['old', 'kept', 'new']) await publish(`${name}/${topic}`, [topic])
      await second.untilRecords(2)
      expect(second.values).toEqual(['kept', 'new'])
      expect(second.logs.join()).not.toContain('dropped')
    })
  })

  test('takes up its session after the broker was killed, and loses nothing', async () => {
    const name = unique()
    const drive = await run(name, { 'mqtt.qos': 1 })
    await publish(name + '/a', sequence(0, 100))
    await drive.untilRecords(100)
    await broker.kill()
    await broker.start()
    await until('the publisher to be back', () => publisher.connected)
    await publish(name + '/a', sequence(100, 200))
    // What was not acknowledged when the broker died comes again.
    await until('all messages', () => new Set(drive.values).size >= 200)
    const values = drive.values.map(Number)
    expect([...new Set(values)]).toEqual(sequence(0, 200).map(Number))
    expect(drive.logs.join()).toContain('connection to the broker lost')
  })

  test('does not take a message twice that the broker repeats after a lost connection', async () => {
    const name = unique()
    const drive = await run(name, { 'mqtt.qos': 2 }, { acknowledging: false })
    await publish(name + '/a', sequence(0, 10), { qos: 2 })
    await drive.untilRecords(10)
    // The broker throws the client out when another one takes its identifier.
    const thief = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`, {
      clientId: `tidewire-${name}-0`,
      clean: false,
      reconnectPeriod: 0,
    })
    thief.stream.destroy()
    await until('a second connection', () => drive.logs.filter((line) => line.startsWith('subscribed')).length === 2)
    await drive.acknowledge()
    drive.acknowledging = true
    await publish(name + '/a', ['end'], { qos: 2 })
    await until('the last message', () => drive.values.includes('end'))
    expect(drive.values).toEqual([...sequence(0, 10), 'end'])
  })

  test('spreads shared subscriptions over tasks', async () => {
    const name = unique()
    const config = { 'mqtt.shared.subscriptions.enabled': 'true' }
    const tasks = await Promise.all([0, 1].map((task) => run(name, config, { task })))
    await publish(name + '/a', sequence(0, 100))
    await until('all messages', () => tasks[0]!.records.length + tasks[1]!.records.length === 100)
    for (const task of tasks) expect(task.records.length).toBeGreaterThan(0)
    expect(tasks.flatMap((task) => task.values).sort()).toEqual(sequence(0, 100).sort())
  })

  test('takes retained messages once, or never', async () => {
    const name = unique()
    await publish(name + '/a', ['kept'], { qos: 1, retain: true })
    const first = await run(name, {})
    await first.untilRecords(1)
    expect(first.records[0]!.headers).toContainEqual(expect.objectContaining({ key: 'mqtt.retain', value: true }))
    await first.stop()
    const second = await run(name, {}, { offsets: first.offsets })
    await publish(name + '/b', ['live'])
    await second.untilRecords(1)
    expect(second.values).toEqual(['live'])

    const never = await run(unique(), { 'mqtt.topics': `${name}/#`, 'mqtt.retained.messages': 'ignore' })
    await publish(name + '/b', ['live'])
    await never.untilRecords(1)
    expect(never.values).toEqual(['live'])
  })

  test('stops reading when its room is full, and goes on when there is some again', async () => {
    const name = unique()
    const drive = await run(
      name,
      { 'mqtt.receive.maximum': 1000, 'mqtt.qos': 0 },
      { acknowledging: false, maxBufferedBytes: 64 * 1024 },
    )
    const large = 'x'.repeat(8 * 1024)
    await publish(name + '/a', Array<string>(200).fill(large), { qos: 1 })
    await drive.untilRecords(8)
    const held = drive.records.length
    expect(held * large.length).toBeLessThan(64 * 1024 + 2 * 64 * 1024)
    drive.acknowledging = true
    await drive.acknowledge()
    await drive.untilRecords(200)
  })

  test('writes MQTT 5 properties to headers', async () => {
    const name = unique()
    const drive = await run(name, { 'mqtt.version': '5' })
    const five = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`, { protocolVersion: 5 })
    await five.publishAsync(name + '/a', 'x', {
      qos: 1,
      properties: {
        contentType: 'text/plain',
        responseTopic: 'answers',
        correlationData: Buffer.from([1, 2]),
        userProperties: { unit: ['C', 'K'] },
      },
    })
    await five.endAsync()
    await drive.untilRecords(1)
    expect(drive.records[0]!.headers!.slice(4).map(({ key, value }) => [key, value])).toEqual([
      ['mqtt.content.type', 'text/plain'],
      ['mqtt.response.topic', 'answers'],
      ['mqtt.correlation.data', Buffer.from([1, 2])],
      ['mqtt.user.unit', 'C'],
      ['mqtt.user.unit', 'K'],
    ])
  })

  describe('access', () => {
    function attempt(config: Record<string, string | number>): Drive {
      const name = unique()
      const drive = new Drive(
        'mqtt-source',
        { 'mqtt.topics': `open/${name}`, 'kafka.topic': 'out', 'max.retry.time.ms': 300, ...config },
        { connector: name },
      )
      running.push(drive)
      return drive
    }
    const tls = (port: number) => ({
      'mqtt.server.uri': `ssl://127.0.0.1:${port}`,
      'mqtt.ssl.ca.path': broker.file('ca.crt'),
    })
    const user = { 'mqtt.username': 'user', 'mqtt.password': 'secret' }

    test('TLS with user name and password', async () => {
      await attempt({ ...tls(broker.tlsPort), ...user }).untilLogged('subscribed')
    })

    test('mutual TLS', async () => {
      const certificate = {
        'mqtt.ssl.certificate.path': broker.file('client.crt'),
        'mqtt.ssl.key.path': broker.file('client.key'),
      }
      await attempt({ ...tls(broker.mutualPort), ...certificate }).untilLogged('subscribed')
    })

    test.each(versions)('a wrong password fails the task at once, MQTT %s', async (version) => {
      const config = { ...tls(broker.tlsPort), ...user, 'mqtt.password': 'wrong', 'mqtt.version': version }
      const error = await attempt(config).untilFailed()
      expect(error).toMatchObject({ name: 'ConfigError', setting: 'mqtt.username' })
      expect(error.message).toContain('refused')
      expect(error.message).not.toContain('wrong')
    })

    test('a broker of an unknown authority fails the task', async () => {
      const config = { ...tls(broker.tlsPort), ...user, 'mqtt.ssl.ca.path': broker.file('other-ca.crt') }
      expect(await attempt(config).untilFailed()).toMatchObject({ name: 'ConfigError', code: 'MQTT_TLS' })
    })

    test('a missing client certificate fails the task', async () => {
      expect((await attempt(tls(broker.mutualPort)).untilFailed()).name).toMatch(/ConfigError|RetriableError/)
    })

    test('TLS with a plain port fails the task', async () => {
      expect((await attempt(tls(broker.port)).untilFailed()).name).toMatch(/ConfigError|RetriableError/)
    })

    test('a PEM file that is not there fails the task, by its setting', async () => {
      const config = { ...tls(broker.tlsPort), 'mqtt.ssl.ca.path': '/nowhere.pem' }
      expect(await attempt(config).untilFailed()).toMatchObject({ name: 'ConfigError', setting: 'mqtt.ssl.ca.path' })
    })

    test('a port where nobody listens is tried again for so long', async () => {
      const error = await attempt({ 'mqtt.server.uri': 'tcp://127.0.0.1:1' }).untilFailed()
      expect(error).toMatchObject({ name: 'RetriableError', retriable: true })
    })
  })
})
