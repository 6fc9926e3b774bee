/** kcat, which is librdkafka, against the log. */
import { execFile } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { missingProgram } from '../support/programs.ts'

const missing = await missingProgram(['kcat', '-V'])

describe.skipIf(missing !== undefined)(`kcat${missing === undefined ? '' : ` (${missing})`}`, () => {
  let broker: TestBroker
  const lines = Array.from({ length: 1000 }, (_, i) => `key-${i % 7}\tline ${i} ${'x'.repeat(i % 50)}`)

  beforeAll(async () => (broker = await testBroker()))
  afterAll(() => broker.close())

  const kcat = (args: readonly string[], input = ''): Promise<string> =>
    new Promise((resolve, reject) => {
      const options = { timeout: 30_000, maxBuffer: 64 * 1024 * 1024 }
      const child = execFile('kcat', ['-b', broker.address, ...args], options, (error, stdout, stderr) =>
        error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stderr}`)),
      )
      child.stdin?.end(input)
    })
  const produce = (topic: string, ...args: string[]) =>
    kcat(['-P', '-t', topic, '-K', '\\t', ...args], `${lines.join('\n')}\n`)
  const consume = async (topic: string) =>
    (await kcat(['-C', '-t', topic, '-e', '-q', '-K', '\\t'])).trimEnd().split('\n')

  test('lists broker and topics', async () => {
    await produce('listed')
    const listing = await kcat(['-L'])
    expect(listing).toContain(`broker 1 at ${broker.address}`)
    expect(listing).toContain('topic "listed" with 1 partitions')
  })

  test.for(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('produces and consumes, compression %s', async (codec) => {
    await produce(`codec-${codec}`, '-z', codec)
    expect(await consume(`codec-${codec}`)).toEqual(lines)
  })

  test.for(['0', '1', 'all'])('produces with acks=%s', async (acks) => {
    await produce(`acks-${acks}`, '-X', `acks=${acks}`)
    await expect.poll(() => consume(`acks-${acks}`)).toEqual(lines)
  })

  test('produces idempotently', async () => {
    await produce('idempotent', '-X', 'enable.idempotence=true')
    expect(await consume('idempotent')).toEqual(lines)
  })

  test('produces in a transaction', async () => {
    // kcat takes one transaction for the whole input.
    await produce('transactional', '-X', 'transactional.id=kcat')
    const committed = await kcat(['-C', '-t', 'transactional', '-e', '-q', '-X', 'isolation.level=read_committed'])
    expect(committed.trimEnd().split('\n')).toHaveLength(lines.length)
  })

  test('keeps headers, null keys and tombstones', async () => {
    await kcat(['-P', '-t', 'headers', '-H', 'a=1', '-H', 'b=zwei'], 'value\n')
    await kcat(['-P', '-t', 'headers', '-K', ':', '-Z'], 'gone:\n')
    const printed = await kcat(['-C', '-t', 'headers', '-e', '-q', '-f', '%k|%S|%h\\n'])
    expect(printed).toBe('|5|a=1,b=zwei\ngone|-1|\n')
  })

  test('consumes with a group, and goes on where the group was', async () => {
    await produce('grouped')
    const group = () => kcat(['-G', 'kcat-group', '-q', '-e', '-X', 'auto.offset.reset=earliest', 'grouped'])
    expect((await group()).trimEnd().split('\n')).toHaveLength(lines.length)
    await kcat(['-P', '-t', 'grouped'], 'one more\n')
    expect(await group()).toBe('one more\n')
  })

  test('asks for offsets by time', async () => {
    await produce('timed')
    expect(await kcat(['-Q', '-t', 'timed:0:-1'])).toContain('offset 1000')
    expect(await kcat(['-Q', '-t', 'timed:0:-2'])).toContain('offset 0')
    expect(await kcat(['-Q', '-t', 'timed:0:1'])).toContain('offset 0')
  })
})
