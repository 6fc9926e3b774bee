import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { batchOf, openLog, recordsOf, temporaryDirectory } from './testing/test-log.ts'
import { DataDirectoryError } from './errors.ts'

const all = { acks: -1, origin: 'client' } as const

test('topics, their ids, partitions and settings survive a restart', async () => {
  const dir = temporaryDirectory()
  const first = await openLog(dir)
  await first.createTopic('a', 3, { 'retention.ms': '1000' })
  await first.createTopic('b', 1)
  await first.addPartitions('b', 4)
  await first.alterConfig('b', { 'cleanup.policy': 'compact,delete' })
  await first.createTopic('gone', 1)
  await first.deleteTopic('gone')
  const { clusterId } = first
  const topics = first.topics()
  await first.close()

  const second = await openLog(dir)
  expect(second.clusterId).toBe(clusterId)
  expect(second.topics()).toEqual(topics)
  expect(second.topicById(topics[0]!.id)?.name).toBe('a')
  expect(second.topic('b')!.effective.cleanupPolicy).toEqual({ delete: true, compact: true })
  expect(second.partition('b', 3)).toBeDefined()
  expect(second.partition('b', 4)).toBeUndefined()
  expect(second.partition('b', -1)).toBeUndefined()
  expect(second.partition('gone', 0)).toBeUndefined()
})

test.each([
  ['', 'INVALID_TOPIC_EXCEPTION'],
  ['..', 'INVALID_TOPIC_EXCEPTION'],
  ['a/b', 'INVALID_TOPIC_EXCEPTION'],
  ['x'.repeat(250), 'INVALID_TOPIC_EXCEPTION'],
  ['has_one', 'TOPIC_ALREADY_EXISTS'],
  ['has.one', 'INVALID_TOPIC_EXCEPTION'],
])('the topic name %j is refused', async (name, code) => {
  const manager = await openLog(temporaryDirectory())
  await manager.createTopic('has_one', 1)
  await expect(manager.createTopic(name, 1)).rejects.toMatchObject({ code })
})

test('bad settings and partition counts are refused by name', async () => {
  const manager = await openLog(temporaryDirectory())
  await expect(manager.createTopic('t', 1, { 'retention.ms': 'x' })).rejects.toMatchObject({
    code: 'INVALID_CONFIG',
    message: expect.stringContaining('retention.ms'),
  })
  await expect(manager.createTopic('t', 1, { nonsense: '1' })).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
  await expect(manager.createTopic('t', 0)).rejects.toMatchObject({ code: 'INVALID_PARTITIONS' })
  await manager.createTopic('t', 2)
  await expect(manager.addPartitions('t', 2)).rejects.toMatchObject({ code: 'INVALID_PARTITIONS' })
  await expect(manager.deleteTopic('u')).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
})

test('a topic made again under the name of a deleted one is empty', async () => {
  const dir = temporaryDirectory()
  const manager = await openLog(dir)
  await manager.createTopic('t', 1, { 'file.delete.delay.ms': '0' })
  const old = manager.partition('t', 0)!
  await old.append(batchOf(['old']), all)
  await manager.deleteTopic('t')
  await expect(old.append(batchOf(['late']), all)).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  await manager.createTopic('t', 1)
  const log = manager.partition('t', 0)!
  expect(log.logEndOffset).toBe(0)
  await log.append(batchOf(['new']), all)
  await expect.poll(() => readdirSync(dir).filter((name) => name.endsWith('-delete'))).toEqual([])
  await manager.close()
  const { records } = await (await openLog(dir)).partition('t', 0)!.read(0, 1000, 'read_uncommitted')
  expect(recordsOf(records).map(({ value }) => value)).toEqual(['new'])
})

test('a deletion that a crash interrupted is finished at the next start', async () => {
  const dir = temporaryDirectory()
  const before = temporaryDirectory()
  const manager = await openLog(dir)
  await manager.createTopic('t', 1)
  await manager.partition('t', 0)!.append(batchOf(['a']), all)
  cpSync(join(dir, 't-0'), join(before, 't-0'), { recursive: true })
  const stored = readFileSync(join(dir, 'topics.json'), 'utf8')
  await manager.deleteTopic('t')
  await manager.close()
  // As it is between writing down that the topic is deleted and moving its directory away.
  const { topics } = JSON.parse(stored) as { topics: unknown[] }
  writeFileSync(join(dir, 'topics.json'), JSON.stringify({ version: 1, topics: [], deleted: topics }))
  cpSync(join(before, 't-0'), join(dir, 't-0'), { recursive: true })
  mkdirSync(join(dir, 'abc.0-delete'))

  await openLog(dir)
  await expect.poll(() => readdirSync(dir).filter((name) => /^t-0$|-delete$/.test(name))).toEqual([])
  expect(JSON.parse(readFileSync(join(dir, 'topics.json'), 'utf8'))).toEqual({ version: 1, topics: [], deleted: [] })
})

test('a directory in use is refused, by another thread too, and is free after close', async () => {
  const dir = temporaryDirectory()
  const manager = await openLog(dir)
  await expect(openLog(dir)).rejects.toThrow(`in use by another process (process ${process.pid})`)
  const inThread = async () => {
    const source = `
      const { lockDirectory } = await import(${JSON.stringify(new URL('./directory-lock.ts', import.meta.url).href)})
      const { parentPort } = await import('node:worker_threads')
      try { lockDirectory(${JSON.stringify(dir)}); parentPort.postMessage('locked') } catch (error) { parentPort.postMessage(error.name) }
    `
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`))
    const message = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject))
    await worker.terminate()
    return message
  }
  expect(await inThread()).toBe('DataDirectoryError')
  await manager.close()
  expect(await inThread()).toBe('locked')
})

test('a directory is made with what is missing above it; a file is none', async () => {
  const dir = join(temporaryDirectory(), 'a', 'b')
  await openLog(dir)
  const file = join(dir, 'file')
  writeFileSync(file, '')
  await expect(openLog(file)).rejects.toThrow(`The data directory ${file} cannot be made: it is a file`)
  await expect(openLog(join(file, 'below'))).rejects.toThrow(DataDirectoryError)
})

test('a newer format and the directory of something else are refused', async () => {
  const dir = temporaryDirectory()
  await (await openLog(dir)).close()
  const path = join(dir, 'meta.properties')
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, text.replace('tidewire.log.format=1', 'tidewire.log.format=9'))
  await expect(openLog(dir)).rejects.toThrow(/has the format 9; this version reads formats up to 1/)
  writeFileSync(path, 'version=1\nnode.id=1\n')
  await expect(openLog(dir)).rejects.toThrow(DataDirectoryError)
  writeFileSync(path, text)
  await openLog(dir)
})

test('few files are open with many partitions', async () => {
  const dir = temporaryDirectory()
  const manager = await openLog(dir, { maxOpenFiles: 10 })
  await manager.createTopic('t', 60)
  for (let round = 0; round < 2; round++) {
    const appends = Array.from({ length: 60 }, (_, i) => manager.partition('t', i)!.append(batchOf([`${i}`]), all))
    await Promise.all(appends)
  }
  expect(manager.openFiles).toBeLessThanOrEqual(10)
  for (let i = 0; i < 60; i++) {
    const { records } = await manager.partition('t', i)!.read(0, 1000, 'read_uncommitted')
    expect(recordsOf(records).map(({ value }) => value)).toEqual([`${i}`, `${i}`])
  }
  expect(manager.openFiles).toBeLessThanOrEqual(10)
})

test('a partition that was never written to has no files', async () => {
  const dir = temporaryDirectory()
  const manager = await openLog(dir)
  await manager.createTopic('t', 2)
  expect(manager.partition('t', 1)!.logEndOffset).toBe(0)
  expect(existsSync(join(dir, 't-1'))).toBe(false)
  await manager.partition('t', 1)!.append(batchOf(['a']), all)
  expect(readdirSync(join(dir, 't-1')).sort()).toEqual([
    '00000000000000000000.log',
    'leader-epoch-checkpoint',
    'partition.metadata',
  ])
})

test('a change of settings holds at the next append', async () => {
  const manager = await openLog(temporaryDirectory())
  await manager.createTopic('t', 1)
  const log = manager.partition('t', 0)!
  await log.append(batchOf(['x'.repeat(2000)]), all)
  await manager.alterConfig('t', { 'max.message.bytes': '1000' })
  await expect(log.append(batchOf(['x'.repeat(2000)]), all)).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
})

test('a topic made again under the name of a deleted one has nothing of its start offset, after a crash either', async () => {
  const dir = temporaryDirectory()
  const manager = await openLog(dir)
  await manager.createTopic('t', 1)
  for (let i = 0; i < 10; i++) await manager.partition('t', 0)!.append(batchOf([`old ${i}`]), all)
  await manager.partition('t', 0)!.deleteRecordsBefore(8)
  await manager.checkpoint()
  await manager.deleteTopic('t')
  await manager.createTopic('t', 1)
  await manager.partition('t', 0)!.append(batchOf(['new']), all)
  const killed = temporaryDirectory()
  cpSync(dir, killed, { recursive: true })
  const log = (await openLog(killed)).partition('t', 0)!
  expect([log.logStartOffset, log.logEndOffset, log.recoveryPoint]).toEqual([0, 1, 0])
})

test('checkpoints of topics that are gone are not taken for those of new ones', async () => {
  const dir = temporaryDirectory()
  await (await openLog(dir)).close()
  writeFileSync(join(dir, 'log-start-offset-checkpoint'), '0\n1\nt 0 8\n')
  writeFileSync(join(dir, 'recovery-point-offset-checkpoint'), '0\n1\nt 0 9\n')
  writeFileSync(join(dir, 'cleaner-offset-checkpoint'), '0\n1\nt 0 9\n')
  const manager = await openLog(dir)
  await manager.createTopic('t', 1)
  expect(manager.partition('t', 0)!.logStartOffset).toBe(0)
  expect(readFileSync(join(dir, 'log-start-offset-checkpoint'), 'utf8')).toBe('0\n0\n')
  expect(readFileSync(join(dir, 'recovery-point-offset-checkpoint'), 'utf8')).toBe('0\n0\n')
  expect(readFileSync(join(dir, 'cleaner-offset-checkpoint'), 'utf8')).toBe('0\n0\n')
})

test('file.delete.delay.ms: the directory of a deleted topic stays as long, or until the next start', async () => {
  const dir = temporaryDirectory()
  const left = () => readdirSync(dir).filter((name) => name.endsWith('-delete')).length
  const manager = await openLog(dir)
  for (const [topic, delay] of [
    ['late', '60000'],
    ['soon', '30'],
  ] as const) {
    await manager.createTopic(topic, 1, { 'file.delete.delay.ms': delay })
    await manager.partition(topic, 0)!.append(batchOf(['x']), all)
    await manager.deleteTopic(topic)
    expect(left()).toBeGreaterThan(0)
  }
  await expect.poll(left).toBe(1)
  await manager.close()
  expect(left()).toBe(1)
  await openLog(dir)
  await expect.poll(left).toBe(0)
})
