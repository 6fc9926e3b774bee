import * as fc from 'fast-check'
import mqttPacket, { type Packet as JudgePacket } from 'mqtt-packet'
import { describe, expect, test } from 'vitest'
import {
  type ConnectPacket,
  MqttProtocolError,
  type Packet,
  type Properties,
  type ProtocolVersion,
  type PublishPacket,
  reasons,
} from './packet.ts'
import { PacketDecoder } from './packet-decoder.ts'
import {
  AckBuffer,
  encodeAck,
  encodeConnack,
  encodeConnect,
  encodeDisconnect,
  encodePublish,
  encodeSuback,
  encodeSubscribe,
  encodeUnsubscribe,
} from './packet-encoder.ts'

function decodeAll(bytes: Buffer, version: ProtocolVersion = 4, maxPacketSize = 1 << 20): Packet[] {
  return decodeChunks([bytes], version, maxPacketSize)
}

function decodeChunks(chunks: readonly Buffer[], version: ProtocolVersion, maxPacketSize = 1 << 20): Packet[] {
  const decoder = new PacketDecoder(maxPacketSize)
  decoder.version = version
  const packets: Packet[] = []
  for (const chunk of chunks) {
    decoder.push(chunk)
    for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) packets.push(packet)
  }
  return packets
}

/** As mqtt-packet, which others wrote, reads it. */
function judge(bytes: Buffer, version: ProtocolVersion): JudgePacket {
  const parser = mqttPacket.parser({ protocolVersion: version })
  let found: JudgePacket | undefined
  parser.on('packet', (packet) => (found = packet))
  parser.on('error', (error: Error) => {
    throw error
  })
  parser.parse(bytes)
  if (found === undefined) throw new Error('no packet')
  return found
}

const version = fc.constantFrom<ProtocolVersion[]>(4, 5)
const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((value) => !value.includes('\0'))
const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
const publishProperties: fc.Arbitrary<Properties> = fc.record(
  {
    messageExpiry: fc.nat(),
    contentType: text,
    responseTopic: text,
    correlationData: payload,
    topicAlias: fc.integer({ min: 1, max: 65_535 }),
    userProperties: fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 4 }),
  },
  { requiredKeys: [] },
)
const publish: fc.Arbitrary<PublishPacket> = fc
  .record({
    topic: text,
    qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
    dup: fc.boolean(),
    retain: fc.boolean(),
    packetId: fc.integer({ min: 1, max: 65_535 }),
    payload,
    properties: publishProperties,
  })
  .map((fields) => ({ type: 'publish', ...fields, packetId: fields.qos === 0 ? 0 : fields.packetId }))
const connect: fc.Arbitrary<ConnectPacket> = fc.record(
  {
    type: fc.constant('connect' as const),
    protocolLevel: fc.constantFrom(4, 5),
    cleanStart: fc.boolean(),
    keepAliveSeconds: fc.nat(65_535),
    clientId: text,
    username: text,
    password: payload,
    will: fc.record({
      topic: text,
      payload,
      qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
      retain: fc.boolean(),
    }),
  },
  { requiredKeys: ['type', 'protocolLevel', 'cleanStart', 'keepAliveSeconds', 'clientId'] },
)

const isEmpty = (properties: Properties | undefined): boolean =>
  properties === undefined || Object.keys(properties).length === 0

describe('what is written is read again', () => {
  test('PUBLISH', () => {
    fc.assert(
      fc.property(version, publish, (level, packet) => {
        const [read] = decodeAll(encodePublish(level, packet), level)
        const properties = level === 5 && !isEmpty(packet.properties) ? packet.properties : undefined
        expect(read).toEqual({ ...packet, properties })
      }),
    )
  })

  test('CONNECT', () => {
    fc.assert(
      fc.property(connect, (packet) => {
        expect(decodeAll(encodeConnect(packet))).toEqual([packet])
      }),
    )
  })

  test('in whatever pieces it comes', () => {
    fc.assert(
      fc.property(fc.array(publish, { minLength: 1, maxLength: 8 }), fc.array(fc.nat(2000)), (packets, cuts) => {
        const bytes = Buffer.concat(packets.map((packet) => encodePublish(5, packet)))
        const at = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]
        const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end))
        expect(decodeChunks(chunks, 5)).toEqual(decodeAll(bytes, 5))
      }),
    )
  })

  test.each([4, 5] as const)('the small packets, level %i', (level) => {
    const subscriptions = [
      { filter: 'a/#', qos: 1, retainAsPublished: level === 5, retainHandling: level === 5 ? 2 : 0 },
    ] as const
    const bytes = Buffer.concat([
      encodeConnack(level, { sessionPresent: true, code: 0 }),
      encodeSubscribe(level, { packetId: 7, subscriptions: [...subscriptions] }),
      encodeUnsubscribe(level, { packetId: 8, filters: ['a/#', 'b'] }),
      encodeSuback(level, 'suback', 7, [1, 0x80]),
      encodeSuback(level, 'unsuback', 8, [0, 17]),
      encodeAck(level, 'pubrel', 9),
      encodeAck(level, 'puback', 10, 0x87),
      encodeDisconnect(level, 0x8e),
    ])
    expect(decodeAll(bytes, level)).toEqual([
      { type: 'connack', sessionPresent: true, code: 0 },
      { type: 'subscribe', packetId: 7, subscriptions },
      { type: 'unsubscribe', packetId: 8, filters: ['a/#', 'b'] },
      { type: 'suback', packetId: 7, codes: [1, 0x80] },
      { type: 'unsuback', packetId: 8, codes: level === 5 ? [0, 17] : [] },
      { type: 'pubrel', packetId: 9, code: 0 },
      { type: 'puback', packetId: 10, code: level === 5 ? 0x87 : 0 },
      { type: 'disconnect', code: level === 5 ? 0x8e : 0 },
    ])
  })

  test('acknowledgements that leave together', () => {
    const acks = new AckBuffer()
    const expected: Packet[] = []
    for (let round = 0; round < 3; round++) {
      for (let packetId = 1; packetId <= 300; packetId++) {
        acks.add(5, packetId % 2 === 0 ? 'puback' : 'pubrec', packetId, packetId % 3 === 0 ? 0x87 : 0)
        expected.push({
          type: packetId % 2 === 0 ? 'puback' : 'pubrec',
          packetId,
          code: packetId % 3 === 0 ? 0x87 : 0,
        })
      }
    }
    const first = acks.take()!
    acks.add(5, 'puback', 1)
    expect(decodeAll(first, 5)).toEqual(expected)
    expect(decodeAll(acks.take()!, 5)).toEqual([{ type: 'puback', packetId: 1, code: 0 }])
    expect(acks.take()).toBeUndefined()
  })
})

describe('mqtt-packet agrees', () => {
  // It cannot tell empty strings in properties from none, and keeps one user property a name.
  const plain = publish.map((packet) => ({ ...packet, properties: undefined }))

  test('on what is written', () => {
    fc.assert(
      fc.property(version, plain, (level, packet) => {
        const read = judge(encodePublish(level, packet), level)
        expect(read).toMatchObject({ cmd: 'publish', topic: packet.topic, qos: packet.qos, dup: packet.dup })
        expect(Buffer.from((read as { payload: Buffer }).payload)).toEqual(packet.payload)
      }),
    )
    fc.assert(
      fc.property(connect, ({ type, protocolLevel, cleanStart, keepAliveSeconds, ...packet }) => {
        const level = protocolLevel === 5 ? 5 : 4
        const read = judge(encodeConnect({ type, protocolLevel, cleanStart, keepAliveSeconds, ...packet }), level)
        expect(read).toMatchObject({ cmd: 'connect', clean: cleanStart, keepalive: keepAliveSeconds, ...packet })
      }),
    )
  })

  test('on what is read', () => {
    const properties = {
      messageExpiryInterval: 5,
      contentType: 'text',
      responseTopic: 'r',
      correlationData: Buffer.from('c'),
      topicAlias: 3,
      userProperties: { a: ['1', '2'] },
    }
    const bytes = mqttPacket.generate(
      { cmd: 'publish', topic: 'a/b', payload: 'x', qos: 1, dup: true, retain: true, messageId: 300, properties },
      { protocolVersion: 5 },
    )
    expect(decodeAll(bytes, 5)).toEqual([
      {
        type: 'publish',
        topic: 'a/b',
        qos: 1,
        dup: true,
        retain: true,
        packetId: 300,
        payload: Buffer.from('x'),
        properties: {
          messageExpiry: 5,
          contentType: 'text',
          responseTopic: 'r',
          correlationData: Buffer.from('c'),
          topicAlias: 3,
          userProperties: [
            ['a', '1'],
            ['a', '2'],
          ],
        },
      },
    ])
  })
})

describe('bytes that are no MQTT', () => {
  test('are refused with an MqttProtocolError, whatever they are', () => {
    fc.assert(
      fc.property(version, fc.uint8Array({ minLength: 1, maxLength: 200 }), (level, bytes) => {
        try {
          decodeAll(Buffer.from(bytes), level)
        } catch (error) {
          expect(error).toBeInstanceOf(MqttProtocolError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('a packet with one byte changed is read, waited for or refused', () => {
    fc.assert(
      fc.property(publish, fc.nat(), fc.nat(255), (packet, at, byte) => {
        const bytes = encodePublish(5, packet)
        bytes[at % bytes.length] = byte
        try {
          decodeAll(bytes, 5)
        } catch (error) {
          expect(error).toBeInstanceOf(MqttProtocolError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('a packet that is too large is refused before its body comes', () => {
    const bytes = encodePublish(4, {
      topic: 'a',
      qos: 0,
      dup: false,
      retain: false,
      packetId: 0,
      payload: Buffer.alloc(1000),
    })
    expect(decodeAll(bytes, 4, bytes.length)).toHaveLength(1)
    expect(() => decodeAll(bytes.subarray(0, 3), 4, bytes.length - 1)).toThrow(
      expect.objectContaining({ reason: reasons.packetTooLarge }) as Error,
    )
  })

  test.each([
    ['packet identifier 0', Buffer.of(0x32, 5, 0, 1, 97, 0, 0), 4],
    ['a string past the end', Buffer.of(0x30, 3, 0, 9, 97), 4],
    ['a property given twice', Buffer.of(0x30, 14, 0, 1, 97, 10, 2, 0, 0, 0, 1, 2, 0, 0, 0, 1), 5],
    ['properties past the end', Buffer.of(0x30, 4, 0, 1, 97, 9), 5],
    ['a zero character', Buffer.of(0x30, 3, 0, 1, 0), 4],
    ['reserved flags', Buffer.of(0x31 | 0x50, 2, 0, 1), 4],
    ['SUBSCRIBE without a filter', Buffer.of(0x82, 2, 0, 1), 4],
    ['a will without its flag', Buffer.of(0x10, 12, 0, 4, 77, 81, 84, 84, 4, 0x08, 0, 0, 0, 0), 4],
  ] as const)('%s', (_what, bytes, level) => {
    expect(() => decodeAll(bytes, level)).toThrow(MqttProtocolError)
  })

  test('U+FFFD itself is fine', () => {
    const bytes = encodePublish(4, {
      topic: 'a/\ufffd',
      qos: 0,
      dup: false,
      retain: false,
      packetId: 0,
      payload: Buffer.alloc(0),
    })
    expect(decodeAll(bytes)).toMatchObject([{ topic: 'a/\ufffd' }])
  })
})
