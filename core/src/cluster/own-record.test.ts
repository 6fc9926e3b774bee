import { expect, test } from 'vitest'
import { silentLogger } from '../logging/logger.ts'
import { OwnRecord } from './own-record.ts'
import type { TopicLog, TopicLogRecord } from './topic-log.ts'

test('what is said just as a write ends is written too', async () => {
  const written: string[] = []
  let acknowledge = (): void => undefined
  const log = {
    write: async (records: readonly TopicLogRecord[]) => {
      written.push(records[0]!.value!)
      await new Promise<void>((resolve) => (acknowledge = resolve))
    },
  } as unknown as TopicLog
  const record = new OwnRecord(
    { log, topic: 't', groupId: 'g', workerId: 'w', logger: silentLogger, signal: new AbortController().signal },
    { url: 'http://w', session: 's', released: -1, draining: false, left: false },
  )
  // One turn of the queue after the other, until the second word falls between the end of the write and what follows it.
  for (let turns = 0; turns < 10; turns++) {
    const before = written.length
    const first = record.say({ released: 2 * turns })
    acknowledge()
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    const second = record.say({ released: 2 * turns + 1 })
    await expect.poll(() => written.length).toBe(before + 2)
    acknowledge()
    await Promise.all([first, second])
    expect(JSON.parse(written.at(-1)!)).toMatchObject({ released: 2 * turns + 1 })
  }
})
