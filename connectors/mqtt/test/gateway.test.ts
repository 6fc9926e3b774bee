import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { hasMosquitto, type Mosquitto, startMosquitto } from '../../../test/support/mosquitto.ts'
import { freePorts } from '../../../test/support/tidewire.ts'
import { until } from '../../../test/support/until.ts'
import { Drive, type DriveOptions } from './drive.ts'
import { connectBytes, publishBytes, RawDevice } from './raw-device.ts'

const versions = [4, 5] as const
const sequence = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => String(from + index))

const gateways: Drive[] = []
const devices: MqttClient[] = []

afterEach(async () => {
  await Promise.all(devices.splice(0).map((device) => device.endAsync(true)))
  await Promise.all(
    gateways.splice(0).map(async (gateway) => {
      await gateway.acknowledge()
      await gateway.stop()
    }),
  )
})

async function startGateway(
  config: Record<string, string | number> = {},
  options?: DriveOptions,
): Promise<{ gateway: Drive; port: number }> {
  const [port] = await freePorts(1)
  const gateway = new Drive('mqtt-gateway', { 'mqtt.port': port!, ...config }, options)
  gateways.push(gateway)
  await gateway.untilLogged('MQTT gateway listens')
  return { gateway, port: port! }
}

async function connectDevice(port: number, options: IClientOptions = {}): Promise<MqttClient> {
  const device = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, ...options }, false)
  device.on('error', () => undefined)
  devices.push(device)
  return device
}

describe.each(versions)('MQTT level %i', (protocolVersion) => {
  test.each([0, 1, 2] as const)('QoS %i: acknowledged once it is durable, not before', async (qos) => {
    const { gateway, port } = await startGateway({}, { acknowledging: false })
    const device = await connectDevice(port, { protocolVersion, clientId: 'dev' })
    let told = false
    const published = device.publishAsync('sensors/d1/temp', '21.5', { qos }).then(() => (told = true))
    await gateway.untilRecords(1)
    // A round trip on the same connection: an acknowledgement sent before would have come before.
    await device.subscribeAsync('x').catch(() => undefined)
    expect(told).toBe(qos === 0)
    await gateway.acknowledge()
    await published

    const [record] = gateway.records
    expect(record).toMatchObject({ topic: 'sensors', key: 'd1' })
    expect(Math.abs(Date.now() - record!.timestamp!)).toBeLessThan(60_000)
    expect(gateway.values).toEqual(['21.5'])
    expect(record!.headers!.map(({ key, value }) => [key, value])).toEqual([
      ['mqtt.topic', 'sensors/d1/temp'],
      ['mqtt.qos', qos],
      ['mqtt.retain', false],
      ['mqtt.dup', false],
      ['mqtt.client.id', 'dev'],
    ])
  })

  test('many messages of one device are on their way together, and keep their order', async () => {
    const { gateway, port } = await startGateway({}, { acknowledging: false })
    const device = await connectDevice(port, { protocolVersion })
    const published = sequence(0, 800).map((value) => device.publishAsync('a/b', value, { qos: 1 }))
    await gateway.untilRecords(800)
    gateway.acknowledging = true
    await gateway.acknowledge()
    await Promise.all(published)
    expect(gateway.values).toEqual(sequence(0, 800))
    expect(gateway.batches.length).toBeLessThan(80)
    expect(gateway.records[0]).toMatchObject({ topic: 'mqtt', key: 'a/b' })
  })

  test('QoS 1 that was not acknowledged is taken again after a lost connection', async () => {
    const { gateway, port } = await startGateway({}, { acknowledging: false })
    const device = await connectDevice(port, { protocolVersion, clientId: 'dev', clean: false, reconnectPeriod: 10 })
    const published = device.publishAsync('sensors/d1/t', '1', { qos: 1 })
    await gateway.untilRecords(1)
    device.stream.destroy()
    await gateway.untilRecords(2)
    gateway.acknowledging = true
    await gateway.acknowledge()
    await published
    expect(gateway.values).toEqual(['1', '1'])
  })

  test('QoS 2 is taken once, though the connection is lost', async () => {
    const { gateway, port } = await startGateway({}, { acknowledging: false })
    const properties = { sessionExpiryInterval: 100 }
    const session = { protocolVersion, clientId: 'dev', clean: false, reconnectPeriod: 10, properties }
    const device = await connectDevice(port, session)
    const published = device.publishAsync('sensors/d1/t', '1', { qos: 2 })
    await gateway.untilRecords(1)
    // mqtt.js tells of the connection only after it has had its messages acknowledged on it.
    const sessionPresent = new Promise((resolve) => {
      device.on('packetreceive', (packet) => {
        if (packet.cmd === 'connack') resolve(packet.sessionPresent)
      })
    })
    device.stream.destroy()
    expect(await sessionPresent).toBe(true)
    // Acknowledged on the new connection, though it came on the old one.
    gateway.acknowledging = true
    await gateway.acknowledge()
    await published
    await device.publishAsync('sensors/d1/t', '2', { qos: 2 })
    expect(gateway.values).toEqual(['1', '2'])
  })

  test('a device that connects again takes over', async () => {
    const { gateway, port } = await startGateway()
    const first = await RawDevice.connect(port, protocolVersion, { clientId: 'dev' })
    const second = await RawDevice.connect(port, protocolVersion, { clientId: 'dev' })
    if (protocolVersion === 5) expect(await first.untilPacket('disconnect')).toMatchObject({ code: 0x8e })
    await first.untilClosed()
    second.send(publishBytes(protocolVersion))
    await second.untilPacket('puback')
    expect(gateway.values).toEqual(['x'])
  })

  test('subscriptions are refused with the code for that', async () => {
    const { port } = await startGateway()
    const device = await connectDevice(port, { protocolVersion })
    for (const [filter, code] of [
      ['commands/#', protocolVersion === 5 ? 0x83 : 0x80],
      ['$share/group/commands', protocolVersion === 5 ? 0x9e : 0x80],
    ] as const) {
      const error = await device.subscribeAsync(filter, { qos: 1 }).catch((thrown: unknown) => thrown)
      expect((error as { packet: { granted: number[] } }).packet.granted).toEqual([code])
    }
    await device.unsubscribeAsync('commands/#')
    await device.publishAsync('a', 'still there', { qos: 1 })
  })

  test('a larger packet than allowed ends its connection before it is taken in', async () => {
    const { gateway, port } = await startGateway({ 'mqtt.max.packet.size': 10_000 })
    const device = await RawDevice.connect(port, protocolVersion)
    device.send(publishBytes(protocolVersion, { payload: Buffer.alloc(20_000) }).subarray(0, 100))
    if (protocolVersion === 5) expect(await device.untilPacket('disconnect')).toMatchObject({ code: 0x95 })
    await device.untilClosed()
    expect(gateway.records).toEqual([])
  })

  test('a will is published when the connection is lost, not when it is ended', async () => {
    const { gateway, port } = await startGateway()
    const will = { topic: 'sensors/d1/state', payload: Buffer.from('gone'), qos: 1, retain: false } as const
    const proper = await connectDevice(port, { protocolVersion, will: { ...will, topic: 'sensors/d2/state' } })
    await proper.endAsync()
    const lost = await connectDevice(port, { protocolVersion, will, clientId: 'lost' })
    lost.stream.destroy()
    await gateway.untilRecords(1)
    expect(gateway.values).toEqual(['gone'])
    expect(gateway.records[0]).toMatchObject({ topic: 'sensors', key: 'd1' })
  })

  test('a silent device is given up after one and a half times its keep-alive', async () => {
    const { port } = await startGateway()
    const device = await RawDevice.connect(port, protocolVersion, { keepAliveSeconds: 1 })
    if (protocolVersion === 5) expect(await device.untilPacket('disconnect')).toMatchObject({ code: 0x8d })
    await device.untilClosed()
  })

  test('stops: no new devices, what was taken is acknowledged, then the connections end', async () => {
    const { gateway, port } = await startGateway({}, { acknowledging: false })
    const device = await RawDevice.connect(port, protocolVersion)
    device.send(publishBytes(protocolVersion))
    await gateway.untilRecords(1)
    const stopped = gateway.stop()
    await expect(RawDevice.open(port)).rejects.toThrow('ECONNREFUSED')
    await gateway.acknowledge()
    await device.untilPacket('puback')
    if (protocolVersion === 5) expect(await device.untilPacket('disconnect')).toMatchObject({ code: 0x8b })
    await device.untilClosed()
    await stopped
  })
})

describe('what no device may do', () => {
  test('write to an internal topic: MQTT 5 is told so, MQTT 3.1.1 disconnected', async () => {
    const { gateway, port } = await startGateway({ 'mqtt.mappings': 'ok/# => ok, raw/+ => raw, any/{x} => {x}' })
    const five = await RawDevice.connect(port, 5)
    const codes: number[] = []
    for (const topic of ['any/__consumer_offsets', 'any/connect-configs', 'unmapped', '$SYS/x', 'ok/1']) {
      five.send(publishBytes(5, { topic, packetId: codes.length + 1 }))
      const { packetId, code } = await five.untilPacket('puback')
      expect(packetId).toBe(codes.length + 1)
      codes.push(code)
    }
    expect(codes).toEqual([0x90, 0x90, 0x87, 0x87, 0])
    five.send(publishBytes(5, { topic: 'unmapped', qos: 2, packetId: 9 }))
    expect(await five.untilPacket('pubrec')).toMatchObject({ packetId: 9, code: 0x87 })

    const old = await RawDevice.connect(port, 4, { clientId: 'old' })
    old.send(publishBytes(4, { topic: 'any/__consumer_offsets' }))
    await old.untilClosed()
    expect(old.received).toEqual([])
    expect(gateway.records.map((record) => record.topic)).toEqual(['ok'])
    expect(gateway.logs.join('\n')).toContain('internal topic')
  })

  test('have a refusal overtake an earlier acknowledgement', async () => {
    const { gateway, port } = await startGateway({ 'mqtt.mappings': 'ok => ok' }, { acknowledging: false })
    const device = await RawDevice.connect(port, 5)
    device.send(publishBytes(5, { topic: 'ok', packetId: 1 }))
    await gateway.untilRecords(1)
    device.send(publishBytes(5, { topic: 'not', packetId: 2 }))
    await until('the refusal to wait its turn', () => gateway.batches.length === 2)
    expect(device.received).toEqual([])
    await gateway.acknowledge()
    expect(await device.untilPacket('puback')).toMatchObject({ packetId: 1, code: 0 })
    expect(await device.untilPacket('puback')).toMatchObject({ packetId: 2, code: 0x87 })
  })

  test('send more than the receive maximum', async () => {
    const { port } = await startGateway({ 'mqtt.receive.maximum': 2 }, { acknowledging: false })
    const device = await RawDevice.connect(port, 5)
    for (const packetId of [1, 2, 3]) device.send(publishBytes(5, { packetId }))
    expect(await device.untilPacket('disconnect')).toMatchObject({ code: 0x93 })
    await device.untilClosed()
  })

  test.each([
    ['random bytes', randomBytes(1000)],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['a PUBLISH before CONNECT', publishBytes(4)],
    ['two CONNECTs', Buffer.concat([connectBytes(4), connectBytes(4)])],
    ['a CONNACK', Buffer.concat([connectBytes(4), Buffer.of(0x20, 2, 0, 0)])],
    ['a wildcard in a topic', Buffer.concat([connectBytes(5), publishBytes(5, { topic: 'a/+' })])],
    ['an empty topic', Buffer.concat([connectBytes(4), publishBytes(4, { topic: '' })])],
    [
      'an alias never set',
      Buffer.concat([connectBytes(5), publishBytes(5, { topic: '', properties: { topicAlias: 3 } })]),
    ],
    ['QoS 3', Buffer.concat([connectBytes(4), Buffer.of(0x36, 5, 0, 1, 97, 0, 1)])],
    ['a length without end', Buffer.concat([connectBytes(4), Buffer.of(0x30, 0xff, 0xff, 0xff, 0xff, 0xff)])],
    ['text that is not UTF-8', Buffer.concat([connectBytes(4), Buffer.of(0x30, 4, 0, 2, 0xc3, 0x28)])],
    ['an unknown property', Buffer.concat([connectBytes(5), Buffer.of(0x30, 6, 0, 1, 97, 2, 0x7f, 0)])],
  ])('%s ends that connection, and no other', async (_what, bytes) => {
    const { gateway, port } = await startGateway()
    const good = await RawDevice.connect(port, 5, { clientId: 'good' })
    const bad = await RawDevice.open(port, 5)
    bad.send(bytes)
    await bad.untilClosed()
    good.send(publishBytes(5))
    await good.untilPacket('puback')
    expect(gateway.values).toEqual(['x'])
  })

  test('stay without introducing itself', async () => {
    const { port } = await startGateway({ 'mqtt.connect.timeout.seconds': 1 })
    const device = await RawDevice.open(port)
    device.send(connectBytes(4).subarray(0, 5))
    await device.untilClosed()
  })

  test('come as an unknown version of MQTT', async () => {
    const { port } = await startGateway()
    const device = await RawDevice.open(port)
    device.send(connectBytes(4, { protocolLevel: 6 }))
    expect(await device.untilPacket('connack')).toMatchObject({ code: 0x84 })
    await device.untilClosed()
  })

  test('fill the room: its socket is read no further until the log has caught up', async () => {
    const room = 256 * 1024
    const { gateway, port } = await startGateway({}, { acknowledging: false, maxBufferedBytes: room })
    const device = await connectDevice(port)
    const payload = Buffer.alloc(40_000, 'x')
    const published = Promise.all(Array.from({ length: 500 }, () => device.publishAsync('a', payload, { qos: 1 })))
    published.catch(() => undefined)
    await gateway.untilRecords(2)
    // What the sockets on both sides hold is not ours to bound; what became records is.
    await until('the device to be held up', () => device.stream.writableLength > 0)
    expect(gateway.records.length * payload.length).toBeLessThan(room)
    const other = await RawDevice.connect(port, 4, { clientId: 'other' })
    other.send(publishBytes(4))
    await until('another device to be heard', () => gateway.values.includes('x'))
    gateway.acknowledging = true
    await gateway.acknowledge()
    await published
    expect(gateway.records).toHaveLength(501)
  })
})

describe('devices of all kinds', () => {
  test('one that sends byte by byte', async () => {
    const { gateway, port } = await startGateway()
    const device = await RawDevice.open(port, 5)
    for (const byte of Buffer.concat([connectBytes(5), publishBytes(5)])) {
      device.send(Buffer.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await device.untilPacket('puback')
    expect(gateway.values).toEqual(['x'])
  })

  test('one that uses topic aliases', async () => {
    const { gateway, port } = await startGateway()
    const device = await connectDevice(port, { protocolVersion: 5, autoAssignTopicAlias: true })
    for (const value of ['1', '2', '3']) await device.publishAsync('sensors/d1/t', value, { qos: 1 })
    expect(gateway.records.map((record) => record.key)).toEqual(['d1', 'd1', 'd1'])
  })

  test('a will with a delay is not published when its device is back in time', async () => {
    const { gateway, port } = await startGateway()
    const options = {
      clientId: 'w',
      cleanStart: false,
      properties: { sessionExpiry: 100 },
      will: { topic: 'w', payload: Buffer.from('gone'), qos: 0, retain: false, properties: { willDelay: 2 } },
    } as const
    const lost = await RawDevice.connect(port, 5, options)
    lost.socket.destroy()
    const back = await RawDevice.connect(port, 5, { ...options, will: undefined })
    const other = await RawDevice.connect(port, 5, { ...options, clientId: 'other' })
    other.socket.destroy()
    await gateway.untilRecords(1)
    expect(gateway.records[0]!.headers).toContainEqual(expect.objectContaining({ value: 'other' }))
    back.send(publishBytes(5))
    await back.untilPacket('puback')
    expect(gateway.values).toEqual(['gone', 'x'])
  })

  test('one without a client identifier is given one', async () => {
    const { gateway, port } = await startGateway()
    const device = await RawDevice.open(port, 5)
    device.send(connectBytes(5, { clientId: '' }))
    const connack = await device.untilPacket('connack')
    expect(connack.properties?.assignedClientId).toMatch(/^auto-/)
    device.send(publishBytes(5))
    await device.untilPacket('puback')
    expect(gateway.records[0]!.headers!.at(-1)!.value).toBe(connack.properties?.assignedClientId)

    const old = await RawDevice.open(port)
    old.send(connectBytes(4, { clientId: '', cleanStart: false }))
    expect(await old.untilPacket('connack')).toMatchObject({ code: 2 })
  })

  test('a thousand at once', async () => {
    const { gateway, port } = await startGateway()
    const all = await Promise.all(
      Array.from({ length: 1000 }, (_, index) =>
        RawDevice.connect(port, index % 2 === 0 ? 4 : 5, { clientId: `d${index}` }),
      ),
    )
    for (const [index, device] of all.entries()) {
      device.send(publishBytes(index % 2 === 0 ? 4 : 5, { topic: `sensors/d${index}/t` }))
    }
    await Promise.all(all.map((device) => device.untilPacket('puback')))
    expect(new Set(gateway.records.map((record) => record.key)).size).toBe(1000)
    for (const device of all) device.socket.destroy()
  })

  test('more than there is room for are refused as such, one that comes back is not', async () => {
    const { port } = await startGateway({ 'mqtt.max.connections': 2 })
    await RawDevice.connect(port, 4, { clientId: 'a' })
    await RawDevice.connect(port, 4, { clientId: 'b' })
    const third = await RawDevice.open(port, 5)
    third.send(connectBytes(5, { clientId: 'c' }))
    expect(await third.untilPacket('connack')).toMatchObject({ code: 0x89 })
    await third.untilClosed()
    const again = await RawDevice.open(port, 4)
    again.send(connectBytes(4, { clientId: 'a' }))
    expect(await again.untilPacket('connack')).toMatchObject({ code: 0 })
  })

  test('payloads as text or JSON, and what is neither', async () => {
    const { gateway, port } = await startGateway({ 'mqtt.payload.format': 'json' })
    const device = await connectDevice(port)
    await device.publishAsync('a', '{"t":21.5}', { qos: 1 })
    await device.publishAsync('a', 'no JSON', { qos: 1 })
    expect(gateway.records.map((record) => record.value)).toEqual([{ t: 21.5 }, Buffer.from('no JSON')])
    expect(gateway.records[1]!.headers!.at(-1)).toMatchObject({ key: 'mqtt.payload.error' })
  })
})

describe('access', () => {
  const access = { 'mqtt.username': 'user', 'mqtt.password': 'secret' }

  test.each([
    [4, undefined, undefined, 5],
    [4, 'user', 'wrong', 4],
    [5, undefined, undefined, 0x87],
    [5, 'someone', 'secret', 0x86],
    [4, 'user', 'secret', 0],
    [5, 'user', 'secret', 0],
  ] as const)('level %i, user %s with password %s: code %i', async (version, username, password, code) => {
    const { gateway, port } = await startGateway(access)
    const device = await RawDevice.open(port, version)
    device.send(connectBytes(version, { username, password: password && Buffer.from(password) }))
    expect(await device.untilPacket('connack')).toMatchObject({ code })
    if (code !== 0) await device.untilClosed()
    expect(gateway.logs.join()).not.toContain('secret')
  })

  test('a port that is taken is a ConfigError that names it', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const gateway = new Drive('mqtt-gateway', { 'mqtt.port': port })
    const error = await gateway.untilFailed()
    other.close()
    expect(error).toMatchObject({ name: 'ConfigError', setting: 'mqtt.port' })
    expect(error.message).toContain(`127.0.0.1:${port}`)
  })
})

describe.skipIf(!hasMosquitto())("mosquitto's tools and certificates", () => {
  let broker: Mosquitto
  beforeAll(async () => {
    broker = await startMosquitto()
  })
  afterAll(() => broker.stop())

  test.each(['mqttv31', 'mqttv311', 'mqttv5'])('mosquitto_pub, %s', async (version) => {
    const { gateway, port } = await startGateway()
    for (const qos of [0, 1, 2]) {
      const args = ['-V', version, '-p', String(port), '-t', 'sensors/m/t', '-q', String(qos), '-m', `${qos}`]
      await promisify(execFile)('mosquitto_pub', args)
    }
    await gateway.untilRecords(3)
    expect(gateway.values).toEqual(['0', '1', '2'])
  })

  test('TLS, and client certificates when they are wanted', async () => {
    const tls = {
      'mqtt.ssl.certificate.path': broker.file('server.crt'),
      'mqtt.ssl.key.path': broker.file('server.key'),
    }
    const ca = readFileSync(broker.file('ca.crt'))
    const client = { cert: readFileSync(broker.file('client.crt')), key: readFileSync(broker.file('client.key')) }
    const open = await startGateway(tls)
    const mutual = await startGateway({ ...tls, 'mqtt.ssl.ca.path': broker.file('ca.crt') })
    const connect = (port: number, options: IClientOptions): Promise<MqttClient> =>
      mqtt.connectAsync(`mqtts://127.0.0.1:${port}`, { ca, reconnectPeriod: 0, ...options }, false)

    const device = await connect(open.port, {})
    await device.publishAsync('sensors/d/t', 'tls', { qos: 1 })
    await device.endAsync()
    expect(open.gateway.values).toEqual(['tls'])

    await expect(connect(mutual.port, {})).rejects.toThrow()
    const known = await connect(mutual.port, client)
    await known.publishAsync('sensors/d/t', 'mutual', { qos: 1 })
    await known.endAsync()
    expect(mutual.gateway.values).toEqual(['mutual'])
  })
})
