import { expect, test } from 'vitest'
import { LogError, type LogClient, type OutRecord, type Producer } from '../client/client.ts'
import { FencedProducer, isDeposed, RefusedError, type FencedProducerOptions } from './fenced-producer.ts'

const record: OutRecord = { topic: 't', key: Buffer.from('k'), value: Buffer.from('v') }

/** A producer that notes what it is asked for. */
function noting(refused?: LogError) {
  const calls: string[] = []
  const note = (call: string) => async (): Promise<void> => {
    await Promise.resolve()
    calls.push(call)
  }
  const producer = {
    initTransactions: note('fence'),
    begin: () => calls.push('begin'),
    produce: async (records: readonly OutRecord[]) => {
      await note(`produce ${records.length}`)()
      return { failures: refused === undefined ? [] : [{ index: 0, error: refused }], offsets: [{ offset: 7 }] }
    },
    commit: note('commit'),
    abort: note('abort'),
    close: note('close'),
  } as unknown as Producer
  const ending = new AbortController()
  const open = (options: Partial<FencedProducerOptions> = {}): Promise<FencedProducer> =>
    FencedProducer.open({
      client: { producer: () => producer } as unknown as LogClient,
      transactionalId: 'leader',
      sessionTimeoutMs: 10_000,
      checkRound: note('check'),
      readToEnd: note('read'),
      signal: ending.signal,
      ...options,
    })
  return { calls, ending, open }
}

test('fences before it asks whether it still leads, and reads after that', async () => {
  const { calls, open } = noting()
  const producer = await open()
  expect(calls).toEqual(['fence', 'check', 'read'])
  expect(await producer.write([[record], [record, record]])).toEqual([7, 7])
  expect(calls.slice(3)).toEqual(['begin', 'produce 1', 'produce 2', 'commit'])
})

test('deposed while it fences: closed, and told', async () => {
  const { calls, open } = noting()
  const error = new LogError('ILLEGAL_GENERATION', 'another round', { retriable: false })
  await expect(open({ checkRound: async () => Promise.reject(error) })).rejects.toBe(error)
  expect(isDeposed(error)).toBe(true)
  expect(isDeposed(new LogError('NOT_LEADER_OR_FOLLOWER', 'the log', { retriable: true }))).toBe(false)
  expect(calls).toEqual(['fence', 'close'])
})

test('given up, whenever that is: closed once', async () => {
  const early = noting()
  const endsMeanwhile = async (): Promise<void> => {
    await Promise.resolve()
    early.ending.abort()
  }
  await expect(early.open({ readToEnd: endsMeanwhile })).rejects.toThrow(/aborted/)
  expect(early.calls).toEqual(['fence', 'check', 'close'])

  const late = noting()
  const producer = await late.open()
  late.ending.abort()
  producer.close()
  await Promise.resolve()
  expect(late.calls.slice(3)).toEqual(['close'])
})

test('a record that the log does not take: nothing is written', async () => {
  const cause = new LogError('RECORD_TOO_LARGE', 'too large', { retriable: false })
  const { calls, open } = noting(cause)
  const producer = await open()
  const error = await producer.write([[record], [record]]).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(RefusedError)
  expect((error as RefusedError).cause).toBe(cause)
  expect(calls.slice(3)).toEqual(['begin', 'produce 1', 'produce 1', 'abort'])
})
