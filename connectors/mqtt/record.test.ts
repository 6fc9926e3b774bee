import { describe, expect, test } from 'vitest'
import type { PublishPacket } from './packet.ts'
import { type PayloadFormat, toRecord } from './record.ts'

const target = { topic: 't', key: 'k', topicHeader: { key: 'mqtt.topic', value: 'a' } }

function valueOf(payload: string | Buffer, format: PayloadFormat) {
  const packet: PublishPacket = {
    type: 'publish',
    topic: 'a',
    qos: 1,
    dup: false,
    retain: false,
    packetId: 1,
    payload: Buffer.from(payload),
  }
  const record = toRecord(packet, target, format, 1)
  const error = record.headers!.find(({ key }) => key === 'mqtt.payload.error')?.value
  return { value: record.value, type: record.valueSchema?.type, error: error === undefined ? undefined : true }
}

describe('payload formats', () => {
  test.each<[string | Buffer, PayloadFormat, unknown, string | undefined]>([
    ['x', 'bytes', Buffer.from('x'), 'bytes'],
    ['', 'bytes', Buffer.alloc(0), 'bytes'],
    ['grün', 'string', 'grün', 'string'],
    ['\ufeffx', 'string', '\ufeffx', 'string'],
    ['{"t": 21.5, "n": [1, null]}', 'json', { t: 21.5, n: [1, null] }, undefined],
    ['null', 'json', null, undefined],
    [
      '{"id": 9007199254740993, "f": 1234567890123456.5}',
      'json',
      { id: 9007199254740993n, f: 1234567890123456.5 },
      undefined,
    ],
    [
      '[-9223372036854775808, 12345678901234567890123]',
      'json',
      [-9223372036854775808n, 1.2345678901234568e22],
      undefined,
    ],
  ])('%s as %s', (payload, format, value, type) => {
    expect(valueOf(payload, format)).toEqual({ value, type, error: undefined })
  })

  test.each<[string | Buffer, PayloadFormat]>([
    ['no JSON', 'json'],
    ['', 'json'],
    [Buffer.of(0xc3, 0x28), 'string'],
    [Buffer.of(0x22, 0xff, 0x22), 'json'],
  ])('%s is not %s: it stays bytes, and says so', (payload, format) => {
    expect(valueOf(payload, format)).toEqual({ value: Buffer.from(payload), type: 'bytes', error: true })
  })
})
