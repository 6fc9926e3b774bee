import { expect, test } from 'vitest'
import { createProcessLogger } from './logger.ts'

function loggerInto(lines: string[], level: Parameters<typeof createProcessLogger>[0] = 'debug') {
  return createProcessLogger(level, { write: (line) => lines.push(line) })
}

test('writes a line of JSON, with the bindings of all parents', () => {
  const lines: string[] = []
  loggerInto(lines).child({ part: 'log' }).child({ topic: 't' }).warn('Full\nstop', { bytes: 1 })
  expect(lines).toEqual([expect.stringMatching(/^\{.*\}\n$/)])
  const { time, ...line } = JSON.parse(lines[0]!) as { time: string }
  expect(line).toEqual({ level: 40, part: 'log', topic: 't', bytes: 1, msg: 'Full\nstop' })
  expect(new Date(time).toISOString()).toBe(time)
})

test.each([
  ['debug', [20, 30, 40, 50]],
  ['warn', [40, 50]],
  ['silent', []],
] as const)('at level %s', (level, expected) => {
  const lines: string[] = []
  const logger = loggerInto(lines, level)
  for (const each of ['debug', 'info', 'warn', 'error'] as const) logger[each]('x')
  expect(lines.map((line) => (JSON.parse(line) as { level: number }).level)).toEqual(expected)
})

test('lives through details that are no JSON', () => {
  const lines: string[] = []
  const circle: Record<string, unknown> = { n: 1 }
  circle['self'] = circle
  const logger = loggerInto(lines)
  logger.error('a', { big: 2n ** 64n, error: new Error('boom') })
  logger.error('b', { circle })
  const [plain, circular] = lines.map((line) => JSON.parse(line) as Record<string, string>)
  expect(plain).toMatchObject({
    big: '18446744073709551616',
    error: expect.stringContaining('Error: boom\n') as string,
  })
  expect(circular).toMatchObject({ msg: 'b', details: expect.stringContaining('[Circular') as string })
})
