import { describe, expect, test } from 'vitest'
import { decodeWalMessage, endOfTuple } from './wal-message.ts'

/** Bytes from numbers with a width, texts with their NUL, and other bytes. */
function bytesOf(...parts: (readonly [width: 1 | 2 | 4 | 8, value: number] | string | Buffer)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'string') return Buffer.from(`${part}\0`)
      if (Buffer.isBuffer(part)) return part
      const wide = Buffer.alloc(8)
      wide.writeBigInt64BE(BigInt(part[1]))
      return wide.subarray(8 - part[0])
    }),
  )
}

const letter = (text: string) => Buffer.from(text)
const textValue = (text: string) => bytesOf(letter('t'), [4, text.length], Buffer.from(text))
const tuple = (...values: Buffer[]) => bytesOf([2, values.length], ...values)

/** In the middle of other bytes, as it is in a chunk. */
function decode(message: Buffer, lsn = 7) {
  const bytes = Buffer.concat([Buffer.from('before'), message, Buffer.from('after')])
  return { message: decodeWalMessage(bytes, 6, 6 + message.length, lsn), bytes }
}

describe('messages of pgoutput', () => {
  test('begin and commit', () => {
    const us = 789_000_000_000_123
    expect(decode(bytesOf(letter('B'), [8, 2 ** 40], [8, us], [4, 4_000_000_000])).message).toEqual({
      kind: 'begin',
      lsn: 7,
      commitLsn: 2 ** 40,
      commitTimeUs: us + Date.UTC(2000, 0) * 1000,
      xid: 4_000_000_000,
    })
    expect(decode(bytesOf(letter('C'), [1, 0], [8, 100], [8, 148], [8, -1])).message).toEqual({
      kind: 'commit',
      lsn: 7,
      commitLsn: 100,
      endLsn: 148,
      commitTimeUs: Date.UTC(2000, 0) * 1000 - 1,
    })
  })

  test('relation, with a schema that is left out', () => {
    const column = (flags: number, name: string) => bytesOf([1, flags], name, [4, 25], [4, -1])
    const sent = bytesOf(
      letter('R'),
      [4, 3_000_000_000],
      '',
      'größe',
      letter('i'),
      [2, 2],
      column(1, 'a'),
      column(0, 'b'),
    )
    expect(decode(sent, 0).message).toEqual({
      kind: 'relation',
      lsn: 0,
      relation: {
        id: 3_000_000_000,
        schema: 'pg_catalog',
        table: 'größe',
        replicaIdentity: 'i',
        columns: [
          { name: 'a', typeOid: 25, typeModifier: -1, isKey: true },
          { name: 'b', typeOid: 25, typeModifier: -1, isKey: false },
        ],
      },
    })
  })

  test('type, origin, truncate, message', () => {
    expect(decode(bytesOf(letter('Y'), [4, 99], 'public', 'mood')).message).toEqual({
      kind: 'type',
      lsn: 7,
      oid: 99,
      schema: 'public',
      name: 'mood',
    })
    expect(decode(bytesOf(letter('O'), [8, 5], 'other')).message).toEqual({
      kind: 'origin',
      lsn: 7,
      originLsn: 5,
      name: 'other',
    })
    expect(decode(bytesOf(letter('T'), [4, 2], [1, 2], [4, 1], [4, 9])).message).toEqual({
      kind: 'truncate',
      lsn: 7,
      relationIds: [1, 9],
      cascade: false,
      restartIdentity: true,
    })
    expect(decode(bytesOf(letter('M'), [1, 1], [8, 6], 'p', [4, 2], Buffer.from([0, 255]))).message).toEqual({
      kind: 'message',
      lsn: 7,
      transactional: true,
      messageLsn: 6,
      prefix: 'p',
      content: Buffer.from([0, 255]),
    })
  })

  test('changes say where their tuples are', () => {
    const old = tuple(textValue('k'), letter('n'), letter('u'), textValue(''))
    const row = tuple(textValue('new'), letter('n'))
    const at = 6 + 6
    expect(decode(bytesOf(letter('I'), [4, 5], letter('N'), row)).message).toMatchObject({
      kind: 'insert',
      lsn: 7,
      relationId: 5,
      newAt: at,
      oldAt: -1,
      oldKind: undefined,
    })
    expect(decode(bytesOf(letter('U'), [4, 5], letter('N'), row)).message).toMatchObject({
      kind: 'update',
      newAt: at,
      oldAt: -1,
      oldKind: undefined,
    })
    for (const kind of ['K', 'O']) {
      const { message, bytes } = decode(bytesOf(letter('U'), [4, 5], letter(kind), old, letter('N'), row))
      expect(message).toMatchObject({ kind: 'update', newAt: at + old.length + 1, oldAt: at, oldKind: kind, bytes })
      expect(decode(bytesOf(letter('D'), [4, 5], letter(kind), old)).message).toMatchObject({
        kind: 'delete',
        newAt: -1,
        oldAt: at,
        oldKind: kind,
      })
    }
  })

  test('the end of a tuple', () => {
    const row = tuple(textValue('abc'), letter('u'), bytesOf(letter('b'), [4, 1], letter('x')), letter('n'))
    expect(endOfTuple(Buffer.concat([letter('..'), row, letter('more')]), 2)).toBe(2 + row.length)
  })

  test.each([
    ['an unknown type', letter('S')],
    ['nothing', Buffer.alloc(0)],
    ['content that is cut off', bytesOf(letter('M'), [1, 0], [8, 6], 'p', [4, 9], letter('x'))],
    ['a name without an end', bytesOf(letter('O'), [8, 6], letter('x'))],
  ])('%s is an error, not a misreading', (_, bytes) => {
    expect(() => decodeWalMessage(bytes, 0, bytes.length, 1)).toThrow()
  })
})
