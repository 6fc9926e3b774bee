import { expect, test } from 'vitest'
import { parseWorkerConfig } from '../config/worker-settings.ts'
import { createLogger } from '../logging/logger.ts'
import { restSecurity } from './rest-security.ts'

/** What a worker with these settings is warned of. */
async function warnings(settings: Readonly<Record<string, string>>): Promise<string[]> {
  const lines: string[] = []
  const logger = createLogger({ write: (level, message) => lines.push(`${level} ${message}`) })
  await restSecurity(parseWorkerConfig({ 'bootstrap.servers': '127.0.0.1:9092', ...settings }).config, logger)
  return lines
}

test('a worker that is open to the network with no log-in says so, unless that is meant', async () => {
  expect(await warnings({})).toEqual([])
  const open = { listeners: 'http://127.0.0.1:8083,http://0.0.0.0:8084' }
  expect(await warnings(open)).toEqual([
    expect.stringMatching(/^warn REST is open to the network on http:\/\/0\.0\.0\.0:8084: /),
  ])
  expect(await warnings({ ...open, 'rest.unprotected': 'allow' })).toEqual([])
  await expect(warnings({ ...open, 'rest.unprotected': 'refuse' })).rejects.toThrow(/\(rest\.unprotected=refuse\)$/)
})

test('log-ins in clear text are warned of', async () => {
  const bearer = { 'rest.bearer.issuer': 'https://idp.example', 'rest.bearer.audience': 'tidewire' }
  expect(await warnings({ ...bearer, listeners: 'http://127.0.0.1:8083' })).toEqual([])
  expect(await warnings({ ...bearer, listeners: 'http://0.0.0.0:8083' })).toEqual([
    expect.stringMatching(/^warn REST takes log-ins in clear text on http:\/\/0\.0\.0\.0:8083: /),
  ])
})
