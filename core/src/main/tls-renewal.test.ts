import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createLogger } from '../logging/logger.ts'
import { renewTls } from './tls-renewal.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('what has changed is applied once; what cannot be used is told once, and looked at again', async () => {
  const lines: string[] = []
  const logger = createLogger({ write: (level, message) => void lines.push(`${level}: ${message}`) })
  let found: string | Error = 'first'
  const applied: string[] = []
  const read = async () => {
    if (found instanceof Error) throw found
    return Promise.resolve({ certificate: found })
  }
  const apply = ({ certificate }: { certificate: string }) => {
    if (certificate === 'wrong') throw new Error('the key does not fit')
    applied.push(certificate)
  }
  const renewing = renewTls({ certificate: 'first' }, read, logger, apply, 1000)
  const look = async (next: string | Error) => {
    found = next
    await vi.advanceTimersByTimeAsync(1000)
  }
  for (const next of ['first', 'second', 'second', new Error('gone'), 'wrong', new Error('gone'), 'second', 'third']) {
    await look(next)
  }
  expect(applied).toEqual(['second', 'third'])
  const kept = 'error: REST keeps its certificates: the new ones cannot be used'
  expect(lines).toEqual(['info: REST has new certificates', kept, 'info: REST has new certificates'])
  await look(new Error('gone'))
  expect(lines.at(-1)).toBe(kept)
  renewing.stop()
  await look('fourth')
  expect(applied).toEqual(['second', 'third'])
})
