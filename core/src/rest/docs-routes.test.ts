import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLogger } from '../logging/logger.ts'
import { startRest, type RestServer } from './server.ts'

let server: RestServer

beforeAll(async () => {
  server = await startRest({ logger: silentLogger, version: '1' })
})
afterAll(() => server.close())

test('the document is served, also while the worker starts', async () => {
  const answer = await fetch(`${server.url}/openapi.json`)
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect(await answer.json()).toMatchObject({
    openapi: '3.1.0',
    paths: { '/connectors': { get: { tags: ['Connectors'] } } },
  })
})

test('the page to read it runs nothing but its own script', async () => {
  const answer = await fetch(`${server.url}/docs`)
  const page = await answer.text()
  expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self';/)
  expect(page).not.toMatch(/(src|href)="https?:/)
  expect(page).not.toMatch(/ style="| on\w+="|<style|<script>/)
})
