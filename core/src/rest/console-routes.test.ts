import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLogger } from '../logging/logger.ts'
import { startRest, type RestServer } from './server.ts'

let server: RestServer

beforeAll(async () => {
  server = await startRest({ logger: silentLogger, version: '1' })
})
afterAll(() => server.close())

test('what the pages name, and what that imports, is served; without types, and without what is Node’s', async () => {
  const seen = new Set<string>()
  const follow = async (url: string): Promise<void> => {
    if (seen.has(url)) return
    seen.add(url)
    const answer = await fetch(url)
    expect([url, answer.status]).toEqual([url, 200])
    const text = await answer.text()
    if (!url.endsWith('.ts')) return
    expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    expect(text).not.toMatch(/\bimport type\b|^interface |^export interface /m)
    const imported = [...text.matchAll(/^(?:import|export) .*?from '([^']+)'/gms)].map(([, name]) => name!)
    for (const name of imported) {
      expect(name).toMatch(/^\.\.?\//)
      await follow(new URL(name, url).href)
    }
  }
  for (const page of ['/', '/docs']) {
    const answer = await fetch(server.url + page, { headers: { accept: 'text/html' } })
    const named = [...(await answer.text()).matchAll(/(?:src|href)="(console\/[^"]+)"/g)].map(([, path]) => path!)
    expect(named).toHaveLength(2)
    for (const path of named) await follow(`${server.url}/${path}`)
  }
  const paths = [...seen].map((url) => url.slice(`${server.url}/console/`.length))
  expect(paths).toEqual(expect.arrayContaining(['style.css', 'main.ts', 'rest-client/rest-client.ts', 'api-page.ts']))
})

test('what has not changed is not sent again', async () => {
  const first = await fetch(`${server.url}/console/main.ts`)
  const etag = first.headers.get('etag')!
  await first.text()
  const again = await fetch(`${server.url}/console/main.ts`, { headers: { 'if-none-match': etag } })
  expect([again.status, await again.text()]).toEqual([304, ''])
})

test.each([
  'nothing.ts',
  '..%2fpackage.json',
  '%2e%2e%2fpackage.json',
  'tsconfig.json',
  'index.html',
  'rest-client/x.ts',
])('%s is not there', async (path) => {
  const { status } = await fetch(`${server.url}/console/${path}`)
  expect(status).toBe(404)
})
