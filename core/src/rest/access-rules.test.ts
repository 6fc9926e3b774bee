import { expect, test } from 'vitest'
import { silentLogger } from '../logging/logger.ts'
import { accessRule, mayDo } from './access-rules.ts'
import { startRest } from './server.ts'

test('every route has a rule, and what changes something needs more than to look', async () => {
  const routes: [method: string, url: string][] = []
  const server = await startRest({
    logger: silentLogger,
    version: '1',
    onRoute: ({ method, url, config }) => {
      if (config !== undefined && 'isRefusal' in config) return
      for (const one of [method].flat()) routes.push([one, url])
    },
  })
  await server.close()
  expect(routes.length).toBeGreaterThan(20)
  expect(routes.filter(([method, url]) => accessRule(method, url) === undefined)).toEqual([])
  const open = routes.filter(
    ([method, url]) => !['GET', 'HEAD'].includes(method) && accessRule(method, url)?.needs === 'view',
  )
  expect(open).toEqual([])
})

test('a role may what those below it may', () => {
  expect([undefined, 'view', 'operate', 'admin'].map((role) => mayDo(role as 'view', 'operate'))).toEqual([
    false,
    false,
    true,
    true,
  ])
})
