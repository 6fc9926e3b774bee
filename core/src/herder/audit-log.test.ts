import { expect, test } from 'vitest'
import { LogError } from '../client/client.ts'
import { createLogger } from '../logging/logger.ts'
import { AuditLog, type AuditRecord } from './audit-log.ts'
import { until } from './testing/fixture.ts'
import { MemoryLog } from './testing/memory-log.ts'

const settings = {
  'audit.topic': 'audit',
  'audit.topic.replication.factor': undefined,
  'audit.topic.retention.ms': 1000,
}

function open(log: MemoryLog, config = settings) {
  const lines: { message: string; details: Readonly<Record<string, unknown>> }[] = []
  const logger = createLogger({ write: (_, message, details) => void lines.push({ message, details }) })
  return { audit: new AuditLog({ client: log.client(), config, logger }), lines }
}

const record = (request: string): AuditRecord => ({
  time: '2026-01-01T00:00:00.000Z',
  request,
  user: 'ada',
  login: 'basic',
  role: 'admin',
  address: '10.0.0.1',
  method: 'DELETE',
  path: '/connectors/a',
  connector: 'a',
  status: 204,
  worker: 'w:8083',
})

const values = (log: MemoryLog) => log.records('audit').map(({ value }) => JSON.parse(value!) as { request?: string })

test('records are written, in a topic that is made for the first', async () => {
  const log = new MemoryLog()
  const { audit, lines } = open(log)
  expect(await log.client().admin.topics(['audit'])).toEqual([])
  audit.record(record('1'))
  audit.record(record('2'))
  await until(() => values(log).length === 2)
  audit.record(record('3'))
  await audit.close()
  expect(values(log)).toEqual([record('1'), record('2'), record('3')])
  expect(await log.client().admin.topicConfig('audit')).toEqual({ 'cleanup.policy': 'delete', 'retention.ms': '1000' })
  expect(lines).toEqual([])
})

test('off without a topic', async () => {
  const log = new MemoryLog()
  const { audit } = open(log, { ...settings, 'audit.topic': '' })
  audit.record(record('1'))
  await audit.close()
  expect([audit.isOn, log.writes]).toEqual([false, 0])
})

test('while the log is away records wait, as far as there is room; those lost are counted in the topic', async () => {
  const log = new MemoryLog()
  log.writeError = new LogError('REQUEST_TIMED_OUT', 'away', { retriable: true })
  const { audit, lines } = open(log)
  const each = JSON.stringify(record('00000')).length
  const room = Math.floor((1024 * 1024) / each)
  for (let i = 0; i < room + 7; i++) audit.record(record(String(i).padStart(5, '0')))
  await until(() => lines.some(({ message }) => message.startsWith('cannot write')))
  log.writeError = undefined
  await until(() => values(log).length === room + 1)
  expect(values(log)[room - 1]).toMatchObject({ request: String(room - 1).padStart(5, '0') })
  expect(values(log)[room]).toMatchObject({ lost: 7 })
  expect(lines.find(({ message }) => message === 'audit records were lost')!.details).toMatchObject({ records: 7 })
  await audit.close()
})

test('what cannot be written before the end is told in the log', async () => {
  const log = new MemoryLog()
  log.writeError = new LogError('REQUEST_TIMED_OUT', 'away', { retriable: true })
  const { audit, lines } = open(log)
  audit.record(record('1'))
  await audit.close()
  expect(lines.at(-1)).toMatchObject({ message: 'audit records are lost', details: { topic: 'audit', records: 1 } })
})
