import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { until } from '../../../test/support/until.ts'
import { parseStreamParams, WalStream, type WalStreamOptions } from '../cdc/replication/wal-stream.ts'
import { fakeWalSender, type FakeWalSender, frame, keepalive, walData } from './fake-wal-sender.ts'

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** A logical message with this prefix, outside of a transaction. */
function message(prefix: string): Buffer {
  return Buffer.concat([Buffer.from('M'), Buffer.alloc(9), Buffer.from(`${prefix}\0`), Buffer.alloc(4)])
}

const begin = Buffer.concat([Buffer.from('B'), Buffer.alloc(20)])
const commit = Buffer.concat([Buffer.from('C'), Buffer.alloc(25)])

async function open(sender: FakeWalSender, more: Partial<WalStreamOptions> = {}): Promise<WalStream> {
  const address = {
    ...{ host: '127.0.0.1', port: sender.port, user: 'u', database: 'd', ssl: { mode: 'disable' as const } },
    ...{ tcpKeepAlive: true, applicationName: 'test', initialStatements: [], queryTimeoutMs: 0 },
  }
  const stream = await WalStream.open(address, {
    ...{ slot: 's', publication: "p'q", start: 100, params: { origin: 'none' }, messages: true },
    ...{ statusIntervalMs: 10_000, maxBufferedBytes: 10_000, retries: 0, retryDelayMs: 0 },
    ...{ signal: new AbortController().signal, log, ...more },
  })
  onTestFinished(async () => {
    vi.useRealTimers()
    await stream.close()
    await sender.close()
  })
  return stream
}

describe('a stream from a slot', () => {
  test('asks for what is configured, and quotes it', async () => {
    const sender = await fakeWalSender()
    await open(sender)
    expect(sender.command()).toBe(
      `START_REPLICATION SLOT "s" LOGICAL 0/64 ("proto_version" '1', "publication_names" '"p''q"', "messages" 'true', "origin" 'none')`,
    )
  })

  test('answers at once when the server asks, and tells what was confirmed', async () => {
    const sender = await fakeWalSender()
    const stream = await open(sender)
    sender.send(keepalive(500, true))
    expect(await stream.read(1, 10)).toEqual([])
    await until('an answer', () => sender.statuses.some(({ written }) => written === 500))
    expect(stream.walEnd).toBe(500)
    stream.confirm(300)
    stream.confirm(200)
    await until('the confirmation', () => sender.statuses.at(-1)?.flushed === 300)
    stream.confirm(400)
    await stream.close()
    await until('the last confirmation', () => sender.statuses.at(-1)?.flushed === 400)
  })

  test('is idle between transactions only', async () => {
    const sender = await fakeWalSender()
    const stream = await open(sender)
    expect(stream.idle).toBe(true)
    sender.send(Buffer.concat([walData(200, begin), walData(210, message('a'))]))
    await stream.read(1, 10_000)
    expect(stream.idle).toBe(false)
    await stream.read(1, 10_000)
    expect(stream.idle).toBe(false)
    sender.send(Buffer.concat([walData(220, commit), walData(230, message('b'))]))
    expect(await stream.read(1, 10_000)).toMatchObject([{ kind: 'commit' }])
    expect(stream.idle).toBe(false)
    await stream.read(1, 10_000)
    expect(stream.idle).toBe(true)
    expect(stream.walEnd).toBe(230)
  })

  test('gives all that came before it tells of the error behind it', async () => {
    const sender = await fakeWalSender()
    const stream = await open(sender)
    const error = frame('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection\0\0'))
    sender.send(Buffer.concat([walData(200, message('a')), walData(201, message('b')), error]))
    sender.cut()
    expect(await stream.read(1, 10_000)).toMatchObject([{ prefix: 'a' }])
    expect(await stream.read(9, 10_000)).toMatchObject([{ prefix: 'b' }])
    await expect(stream.read(9, 10_000)).rejects.toMatchObject({ code: 'PG_57P01', retriable: true })
    await expect(stream.read(9, 10_000)).rejects.toMatchObject({ code: 'PG_57P01' })
  })

  test.each([
    ['a cut connection', undefined, { retriable: true, code: 'PG_UNREACHABLE' }],
    ['the end of the stream', frame('c', Buffer.alloc(0)), { retriable: true }],
    ['a message that is not understood', walData(200, Buffer.from('S....')), { retriable: false, code: 'PG_PROTOCOL' }],
    [
      'a publication that PostgreSQL 18 passes over',
      frame('N', Buffer.from('SWARNING\0C55000\0Mskipped loading publication "p"\0RLoadPublications\0\0')),
      { name: 'ConfigError', code: 'PG_PUBLICATION_MISSING' },
    ],
  ])('%s is told', async (_, bytes, error) => {
    const sender = await fakeWalSender()
    const stream = await open(sender)
    if (bytes === undefined) sender.cut()
    else sender.send(bytes)
    await expect(stream.read(9, 10_000)).rejects.toMatchObject(error)
  })

  test('waiting ends with the signal', async () => {
    const stop = new AbortController()
    const stream = await open(await fakeWalSender(), { signal: stop.signal })
    const read = stream.read(9, 100_000)
    stop.abort()
    expect(await read).toEqual([])
  })

  test('takes no more than it may, and all of it in the end', async () => {
    const sender = await fakeWalSender()
    const stream = await open(sender)
    const count = 300
    // Thirty megabytes: more than the system holds between the two.
    for (let i = 0; i < count; i++) sender.send(walData(200 + i, message('x'.repeat(100_000))))
    // Enough for all of it, were it taken.
    for (let turn = 0; turn < 2000; turn++) await nextTurn()
    expect(sender.unsentBytes()).toBeGreaterThan(0)
    let next = 200
    while (next < 200 + count) {
      for (const { lsn } of await stream.read(5000, 10_000)) expect(lsn).toBe(next++)
    }
  })
})

describe('with a clock of the test', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** Lets sockets do what they have to, which no clock drives. */
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await nextTurn()
  }

  test('asks a silent server for an answer, and gives it up after a minute', async () => {
    const sender = await fakeWalSender()
    const stream = await open(sender)
    await vi.advanceTimersByTimeAsync(50_000)
    await vi.waitUntil(() => sender.statuses.some(({ askedForReply }) => askedForReply), { timeout: 30_000 })
    sender.send(keepalive(500, false))
    await settle()
    await stream.read(1, 0)
    const hasCome = async (): Promise<boolean> => {
      await settle()
      await stream.read(1, 0)
      return stream.walEnd === 500
    }
    await vi.waitUntil(hasCome, { timeout: 30_000 })
    await vi.advanceTimersByTimeAsync(50_000)
    await stream.read(1, 0)
    await vi.advanceTimersByTimeAsync(30_000)
    await expect(stream.read(1, 0)).rejects.toMatchObject({
      retriable: true,
      message: expect.stringMatching(/nothing has come/),
    })
  })

  test('tells often enough for the timeout of the server', async () => {
    const sender = await fakeWalSender(3000)
    await open(sender)
    const before = sender.statuses.length
    await vi.advanceTimersByTimeAsync(10_000)
    await vi.waitUntil(() => sender.statuses.length >= before + 9, { timeout: 30_000 })
  })
})

describe('slot.stream.params', () => {
  test('are names and values', () => {
    expect(parseStreamParams('')).toEqual({})
    expect(parseStreamParams(' origin = none ;a=b=c;')).toEqual({ origin: 'none', a: 'b=c' })
  })

  test.each(['x', '=x', 'streaming=on', 'proto_version=2', 'binary=true'])('"%s" is refused', (text) => {
    expect(() => parseStreamParams(text)).toThrow(/^slot\.stream\.params: /)
  })
})
