import { fastify } from 'fastify'
import { afterEach, expect, test } from 'vitest'
import type { Herder } from '../herder/herder.ts'
import { healthRoute } from './health-route.ts'
import { RestError } from './rest-error.ts'

let app = fastify()
afterEach(async () => app.close())

async function healthOf(herder: () => Pick<Herder, 'catchUp'>): Promise<{ status: number; body: unknown }> {
  app = fastify()
  healthRoute(app, herder as () => Herder, 20)
  const answer = await app.inject({ method: 'GET', url: '/health' })
  return { status: answer.statusCode, body: answer.json() }
}

test('a worker is healthy that reads its config topic to the end', async () => {
  expect(await healthOf(() => ({ catchUp: async () => undefined }))).toEqual({
    status: 200,
    body: { status: 'healthy', message: 'Worker has completed startup and is ready to handle requests.' },
  })
})

test('one that does not get there in time, or fails, is not', async () => {
  const never = { catchUp: async () => new Promise<void>(() => undefined) }
  expect(await healthOf(() => never)).toMatchObject({ status: 500, body: { status: 'unhealthy' } })
  const fails = { catchUp: async () => Promise.reject(new Error('no broker answers')) }
  expect(await healthOf(() => fails)).toEqual({
    status: 500,
    body: {
      status: 'unhealthy',
      message: 'Worker was unable to handle this request and may be unable to handle other requests. no broker answers',
    },
  })
})

test('one that has not come so far is starting', async () => {
  const starting = () => {
    throw new RestError(503, 'Worker is still starting up.')
  }
  expect(await healthOf(starting)).toEqual({
    status: 503,
    body: { status: 'starting', message: 'Worker is still starting up.' },
  })
})
