/** Whether the OpenAPI document tells the truth: what a worker answers is what the document says, and nothing more. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OpenApiDocument, ReferringSchema } from '../../core/src/rest/openapi.ts'
import { eventsOf, linesOf } from '../../core/src/rest-client/server-events.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { until } from '../support/until.ts'
import { testWorker, type TestWorker } from '../support/worker.ts'

let broker: TestBroker
let worker: TestWorker
let folder: string
let document: OpenApiDocument
const validators = new Map<string, ValidateFunction>()
/** Operations asked for so far. */
const asked = new Set<string>()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
  broker = await testBroker()
  worker = await testWorker(broker.address)
  const text = await readFile(new URL('../../docs/openapi.json', import.meta.url), 'utf8')
  document = JSON.parse(text) as OpenApiDocument
})
afterAll(async () => {
  await worker.close()
  await broker.close()
  await rm(folder, { recursive: true, force: true })
})

/** The same, with no field that is not named. */
function strict(schema: ReferringSchema): object {
  const { properties, items, anyOf, additionalProperties } = schema
  return {
    ...schema,
    ...(properties && { properties: mapped(properties), additionalProperties: false }),
    ...(items && { items: strict(items) }),
    ...(anyOf && { anyOf: anyOf.map(strict) }),
    ...(additionalProperties && { additionalProperties: strict(additionalProperties) }),
  }
}

function mapped(schemas: Readonly<Record<string, ReferringSchema>>): Record<string, object> {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, strict(schema)]))
}

function validatorOf(operation: string, status: number, type: string): ValidateFunction | undefined {
  const [method, path] = operation.split(' ') as [string, string]
  const { responses } = document.paths[path]![method.toLowerCase()]!
  const found = responses[status] ?? responses['default']!
  const response = '$ref' in found ? document.components.responses['Error']! : found
  if ('$ref' in response || response.content === undefined) return undefined
  const schema = response.content[type]?.schema
  expect(schema, `${operation} ${status} ${type} is not in the document`).toBeDefined()
  const key = `${operation} ${status} ${type}`
  const known = validators.get(key)
  if (known !== undefined) return known
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  const made = ajv.compile({ ...strict(schema!), components: { schemas: mapped(document.components.schemas) } })
  validators.set(key, made)
  return made
}

function check(operation: string, status: number, type: string, value: unknown): void {
  asked.add(operation)
  const validate = validatorOf(operation, status, type)
  if (validate === undefined) expect([operation, status, value]).toEqual([operation, status, undefined])
  else if (!validate(value)) {
    const problems = validate.errors!.map(({ instancePath, message, params }) => ({ instancePath, message, params }))
    expect.fail(`${operation} ${status}: ${JSON.stringify(problems, null, 1)} in ${JSON.stringify(value, null, 1)}`)
  }
}

/** Asks, and finds in the document what is answered. */
async function ask(
  operation: string,
  expected: number,
  { path = {}, query = '', body }: { path?: Record<string, string>; query?: string; body?: unknown } = {},
): Promise<unknown> {
  const [method, pattern] = operation.split(' ') as [string, string]
  const url = worker.url + pattern.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name]!)) + query
  const response = await fetch(url, {
    method,
    headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const type = response.headers.get('content-type')?.split(';')[0] ?? ''
  expect([operation, response.status, response.status === expected ? '' : await response.text()]).toEqual([
    operation,
    expected,
    '',
  ])
  if (type === 'application/x-ndjson') {
    for await (const line of linesOf(response.body!)) check(operation, expected, type, JSON.parse(line))
    return undefined
  }
  const text = await response.text()
  const value: unknown = text === '' ? undefined : JSON.parse(text)
  check(operation, expected, type, value)
  return value
}

/** Asks for events until enough have come, and finds each in the document. Once it resolves, what happens from then on is told. */
async function listen(
  operation: string,
  path: string,
  enough: (event: string) => boolean,
  schemaOf: (event: string) => boolean = () => true,
): Promise<{ readonly done: Promise<void> }> {
  const stop = new AbortController()
  const response = await fetch(worker.url + path, { signal: stop.signal })
  expect(response.status).toBe(200)
  const begun = Promise.withResolvers<undefined>()
  const read = async (): Promise<void> => {
    for await (const { event, data } of eventsOf(response.body!)) {
      begun.resolve(undefined)
      if (schemaOf(event)) check(operation, 200, 'text/event-stream', JSON.parse(data))
      if (enough(event)) break
    }
    stop.abort()
  }
  const done = read()
  await Promise.race([begun.promise, done])
  return { done }
}

test('what is answered is what the document says', async () => {
  const input = join(folder, 'in.txt')
  await writeFile(input, 'one\ntwo\n')
  const source = { 'connector.class': 'file-source', file: input, topic: 'lines', 'value.converter': 'string' }
  const path = { name: 'lines' }
  const task = { ...path, task: '0' }
  const plugin = { plugin: 'file-source' }

  await ask('GET /', 200)
  await ask('GET /health', 200)
  await ask('GET /openapi.json', 200)
  await ask('GET /admin/workers', 200)
  const listening = await listen('GET /events', '/events', (event) => event === 'status')
  await ask('POST /connectors', 201, { body: { name: 'lines', config: source } })
  await ask('POST /connectors', 409, { body: { name: 'lines', config: source } })
  await ask('POST /connectors', 400, { body: { name: 'x', config: {} } })
  await listening.done
  await worker.reaches('lines', 'RUNNING', 1)
  await ask('GET /connectors', 200)
  await ask('GET /connectors', 200, { query: '?expand=status&expand=info' })
  await ask('GET /connectors/{name}', 200, { path })
  await ask('GET /connectors/{name}', 404, { path: { name: 'nobody' } })
  await ask('GET /connectors/{name}/config', 200, { path })
  await ask('PUT /connectors/{name}/config', 200, { path, body: { ...source, 'tasks.max': 1 } })
  await ask('PATCH /connectors/{name}/config', 200, { path, body: { 'batch.size': null } })
  await ask('GET /connectors/{name}/status', 200, { path })
  await ask('GET /connectors/{name}/tasks', 200, { path })
  await worker.reaches('lines', 'RUNNING', 1)
  await ask('GET /connectors/{name}/tasks/{task}/status', 200, { path: task })
  await ask('POST /connectors/{name}/tasks/{task}/restart', 204, { path: task })
  await ask('POST /connectors/{name}/restart', 204, { path })
  await ask('POST /connectors/{name}/restart', 202, { path, query: '?includeTasks=true' })
  await ask('PUT /connectors/{name}/pause', 202, { path })
  await ask('PUT /connectors/{name}/resume', 202, { path })
  await ask('PUT /connectors', 200, { body: { lines: source, more: { ...source, 'tasks.max': 1 } } })
  const wanted = { still: { config: { ...source, topic: 'still' }, initial_state: 'STOPPED' } }
  await ask('PUT /connectors', 200, { body: wanted })
  await worker.reaches('still', 'STOPPED')
  await ask('PUT /connectors', 200, { body: { lines: source, bad: { 'connector.class': 'no' } }, query: '?dryRun' })
  await ask('PUT /connectors', 400, { body: { bad: { 'connector.class': 'no' } } })

  await ask('GET /connector-plugins', 200, { query: '?connectorsOnly=false' })
  await ask('GET /connector-plugins/{plugin}/config', 200, { path: plugin })
  await ask('PUT /connector-plugins/{plugin}/config/validate', 200, { path: plugin, body: { ...source, odd: 'x' } })
  const named = { ...source, name: 'lines' }
  await ask('PUT /connector-plugins/{plugin}/config/validate', 200, { path: plugin, body: named, query: '?deep=true' })

  await ask('POST /connectors/preview', 200, { body: { config: { ...source, topic: 'other' }, timeoutMs: 2000 } })
  await ask('POST /connectors/{name}/preview', 200, { path, body: { limit: 1 } })
  const sink = {
    'connector.class': 'file-sink',
    file: join(folder, 'out.txt'),
    topics: 'lines',
    'value.converter': 'json',
    'errors.tolerance': 'all',
    'errors.deadletterqueue.topic.name': 'letters',
    'errors.deadletterqueue.context.headers.enable': 'true',
  }
  await worker.deploy('sink', sink)
  await ask('POST /connectors/{name}/preview', 200, { path: { name: 'sink' }, body: { timeoutMs: 2000 } })
  const letters = async () =>
    (await ask('GET /connectors/{name}/dlq', 200, { path: { name: 'sink' } })) as { letters: unknown[] }
  await until('dead letters', async () => (await letters()).letters.length > 1)
  await ask('POST /connectors/{name}/dlq/redrive', 200, { path: { name: 'sink' } })
  await ask('GET /connectors/{name}/dlq', 404, { path })
  const tail = await listen(
    'GET /topics/{topic}/tail',
    '/topics/letters/tail?from=earliest&limit=2&format=json',
    (event) => event === 'end',
    (event) => event === 'record',
  )
  await tail.done
  await ask('GET /connectors/{name}/topics', 200, { path })
  await ask('PUT /connectors/{name}/topics/reset', 202, { path })
  await ask('GET /admin/loggers', 200)
  const logger = { logger: 'tidewire' }
  await ask('PUT /admin/loggers/{logger}', 200, { path: logger, body: { level: 'DEBUG' } })
  await ask('PUT /admin/loggers/{logger}', 204, { path: logger, body: { level: 'INFO' }, query: '?scope=cluster' })
  await ask('GET /admin/loggers/{logger}', 200, { path: logger })

  await ask('POST /connectors/{name}/signals', 409, { path, body: { type: 'log' } })
  await ask('GET /connectors/{name}/offsets', 200, { path })
  await ask('PATCH /connectors/{name}/offsets', 400, { path, body: { from: 'earliest' } })
  await ask('PUT /connectors/{name}/stop', 204, { path })
  await ask('PUT /connectors/{name}/stop', 204, { path: { name: 'sink' } })
  await worker.reaches('lines', 'STOPPED')
  await worker.reaches('sink', 'STOPPED')
  await ask('PATCH /connectors/{name}/offsets', 200, { path: { name: 'sink' }, body: { from: 'earliest' } })
  await ask('GET /connectors/{name}/offsets', 200, { path: { name: 'sink' } })
  await ask('DELETE /connectors/{name}/offsets', 200, { path })

  await ask('DELETE /connectors/{name}', 204, { path })
  await ask('DELETE /connectors/{name}', 204, { path: { name: 'sink' } })
  for (const name of ['more', 'still']) await ask('DELETE /connectors/{name}', 204, { path: { name } })
  // With nothing left to hand over, at once.
  await ask('PUT /admin/reencrypt', 400)
  await ask('PUT /admin/drain', 204)

  const all = Object.entries(document.paths).flatMap(([url, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${url}`),
  )
  // What is no JSON.
  expect(all.filter((operation) => !asked.has(operation)).sort()).toEqual(['GET /docs', 'GET /metrics'])
})
