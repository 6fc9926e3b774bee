import { connect } from 'node:net'
import { once } from 'node:events'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { secretMask } from '../config/secrets.ts'
import { startHerder, until, type Fixture } from '../herder/testing/fixture.ts'
import { silentLogger } from '../logging/logger.ts'
import { parseJsonBody } from './json-body.ts'
import { startRest, type RestServer } from './server.ts'

const source = { 'connector.class': 'test-source', url: 'tcp://x' }
let fixture: Fixture
let server: RestServer

beforeAll(async () => {
  server = await startRest({
    logger: silentLogger,
    version: '9.9.9',
    advertisedHost: 'known',
  })
  fixture = await startHerder()
  server.serve(fixture.herder)
})
afterAll(async () => {
  await server.close()
  await fixture.herder.close()
})

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

async function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(server.url + path, {
    method,
    headers: { ...(text === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(text === undefined ? {} : { body: text }),
  })
  const answer = await response.text()
  return { status: response.status, headers: response.headers, body: answer === '' ? undefined : parsed(answer) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const running = (name: string) =>
  until(
    () =>
      fixture.herder.views
        .status(name)
        .tasks.map(({ state }) => state)
        .join() === 'RUNNING' && fixture.herder.views.status(name).connector.state === 'RUNNING',
  )

describe('worker', () => {
  test('tells about itself', async () => {
    expect(await ask('GET', '/')).toMatchObject({
      status: 200,
      body: { version: '9.9.9', commit: 'unknown', kafka_cluster_id: 'memory' },
    })
    expect(await ask('GET', '/health')).toMatchObject({ status: 200, body: { status: 'healthy' } })
  })

  test('stops without waiting for a drain or a preview to come to its end', async () => {
    const { herder } = await startHerder()
    const stopping = await startRest({ logger: silentLogger, version: '1' })
    stopping.serve(herder)
    const aborted = async (signal: AbortSignal | undefined): Promise<void> =>
      new Promise((resolve) => signal!.addEventListener('abort', () => resolve(), { once: true }))
    const drain = vi.spyOn(herder.cluster, 'drain').mockImplementation(async (signal) => {
      await aborted(signal)
      throw signal!.reason as Error
    })
    const preview = vi.spyOn(herder.errands, 'preview').mockImplementation(async (name, _, signal) => {
      await aborted(signal)
      return { name, type: 'source', task: 0, tasks: 1, records: [], ended: 'timeout', log: [], warnings: [] }
    })
    const answers = Promise.all([
      fetch(`${stopping.url}/admin/drain`, { method: 'PUT' }),
      fetch(`${stopping.url}/connectors/a/preview`, { method: 'POST' }),
    ])
    await expect.poll(() => drain.mock.calls.length + preview.mock.calls.length).toBe(2)
    await stopping.close()
    expect((await answers).map(({ status }) => status)).toEqual([202, 200])
    await herder.close()
  })

  test('answers 503 until it is ready', async () => {
    const starting = await startRest({ logger: silentLogger, version: '1' })
    const health = await fetch(`${starting.url}/health`)
    expect([health.status, await health.json()]).toEqual([
      503,
      { status: 'starting', message: 'Worker is still starting up.' },
    ])
    const list = await fetch(`${starting.url}/connectors`)
    expect([list.status, list.headers.get('retry-after'), await list.json()]).toEqual([
      503,
      '1',
      { error_code: 503, message: 'Worker is still starting up.' },
    ])
    await starting.close()
  })

  test('a taken port is an error', async () => {
    const second = startRest({ listeners: server.listeners, logger: silentLogger, version: '1' })
    await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  test('serves the console to browsers, with nothing from elsewhere', async () => {
    const { status, headers, body } = await ask('GET', '/', undefined, { accept: 'text/html,*/*' })
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/)
    expect(body).toContain('<title>Tidewire</title>')
    expect(body).not.toMatch(/(src|href)="https?:/)
  })
})

describe('connectors', () => {
  test('are created, listed, shown, changed and deleted', async () => {
    const created = await ask('POST', '/connectors', { name: ' one ', config: { ...source, 'tasks.max': 1 } })
    expect(created).toMatchObject({
      status: 201,
      body: { name: 'one', config: { ...source, name: 'one', 'tasks.max': '1' }, tasks: [], type: 'source' },
    })
    expect(created.headers.get('location')).toBe('/connectors/one')
    await running('one')
    expect((await ask('GET', '/connectors')).body).toEqual(['one'])
    expect((await ask('GET', '/connectors/')).body).toEqual(['one'])
    const expanded = (await ask('GET', '/connectors?expand=status&expand=info&expand=x')).body as Record<string, object>
    expect(Object.keys(expanded['one']!)).toEqual(['status', 'info'])
    expect(await ask('GET', '/connectors/one')).toMatchObject({
      status: 200,
      body: { tasks: [{ connector: 'one', task: 0 }] },
    })
    expect((await ask('GET', '/connectors/one/tasks')).body).toMatchObject([
      { id: { connector: 'one', task: 0 }, config: { url: 'tcp://x' } },
    ])
    expect((await ask('GET', '/connectors/one/tasks/0/status')).body).toEqual({
      id: 0,
      state: 'RUNNING',
      worker_id: '127.0.0.1:8083',
      version: '1.2.3',
    })
    expect(await ask('PUT', '/connectors/one/config', { ...source, mode: 'fast' })).toMatchObject({
      status: 200,
      body: { config: { mode: 'fast' } },
    })
    expect(await ask('PATCH', '/connectors/one/config', { mode: null })).toMatchObject({
      status: 200,
      body: { config: { ...source, name: 'one' } },
    })
    expect((await ask('GET', '/connectors/one/config')).body).toEqual({ ...source, name: 'one' })
    expect(await ask('DELETE', '/connectors/one')).toMatchObject({ status: 204, body: undefined })
    expect(await ask('GET', '/connectors/one')).toMatchObject({
      status: 404,
      body: { error_code: 404, message: 'Connector one not found' },
    })
  })

  test('are put: 201 when new, 409 when posted twice', async () => {
    const put = await ask('PUT', '/connectors/two/config', source)
    expect([put.status, put.headers.get('location')]).toEqual([201, '/connectors/two'])
    expect(await ask('POST', '/connectors', { name: 'two', config: source })).toMatchObject({
      status: 409,
      body: { error_code: 409, message: 'Connector two already exists' },
    })
  })

  test.each(['a/b', 'über', '🌊', 'a b', '%2e%2e', '..', 'constructor', '__proto__', 'x'.repeat(500)])(
    'may be named %j',
    async (name) => {
      const path = `/connectors/${encodeURIComponent(name).replaceAll('.', '%2E')}`
      expect((await ask('POST', '/connectors', { name, config: source })).status).toBe(201)
      // URL libraries resolve dots before they send; such a connector can be reached by those that do not.
      if (name === '..') return fixture.herder.writes.delete(name)
      expect(await ask('GET', path)).toMatchObject({ status: 200, body: { name } })
      expect((await ask('DELETE', path)).status).toBe(204)
    },
  )

  test('begin in the state that is asked for', async () => {
    expect((await ask('POST', '/connectors', { name: 'three', config: source, initial_state: 'stopped' })).status).toBe(
      201,
    )
    await until(() => fixture.herder.views.status('three').connector.state === 'STOPPED')
    expect(await ask('POST', '/connectors', { name: 'four', config: source, initial_state: 'x' })).toMatchObject({
      status: 400,
    })
  })

  test('are paused, resumed, stopped and restarted', async () => {
    await ask('POST', '/connectors', { name: 'five', config: source })
    await running('five')
    expect(await ask('PUT', '/connectors/five/pause')).toMatchObject({ status: 202, body: undefined })
    expect((await ask('PUT', '/connectors/five/resume')).status).toBe(202)
    expect(await ask('POST', '/connectors/five/restart')).toMatchObject({ status: 204, body: undefined })
    const restarted = await ask('POST', '/connectors/five/restart?includeTasks=true&onlyFailed=false')
    expect(restarted).toMatchObject({
      status: 202,
      body: { connector: { state: 'RESTARTING' }, tasks: [{ state: 'RESTARTING' }] },
    })
    await running('five')
    expect(
      (await ask('POST', '/connectors/five/tasks/0/restart', undefined, { 'content-type': 'application/json' })).status,
    ).toBe(204)
    expect((await ask('POST', '/connectors/five/tasks/7/restart')).status).toBe(404)
    expect((await ask('PUT', '/connectors/five/stop')).status).toBe(204)
    for (const action of ['pause', 'resume', 'stop'])
      expect((await ask('PUT', `/connectors/none/${action}`)).status).toBe(404)
    expect((await ask('POST', '/connectors/none/restart')).status).toBe(404)
  })

  test('hide their secrets', async () => {
    await ask('POST', '/connectors', { name: 'six', config: { ...source, password: 'S3CRET' } })
    for (const path of [
      '/connectors/six',
      '/connectors/six/config',
      '/connectors?expand=info',
      '/connectors/six/tasks',
    ]) {
      expect(JSON.stringify(await ask('GET', path))).not.toContain('S3CRET')
    }
    const { body } = await ask('GET', '/connectors/six/config')
    expect(body).toMatchObject({ password: secretMask })
    expect((await ask('PUT', '/connectors/six/config', body)).status).toBe(200)
    const refused = await ask('PUT', '/connectors/six/config', { ...source, password: { a: 'S3CRET' } })
    expect(refused.status).toBe(400)
    expect(JSON.stringify(refused)).not.toContain('S3CRET')
  })
})

describe('bad requests', () => {
  test('a bad config: 400, every field with its reason', async () => {
    const { status, body } = await ask('PUT', '/connectors/bad/config', {
      'connector.class': 'test-source',
      'batch.size': 'x',
    })
    expect(status).toBe(400)
    expect(body).toMatchObject({ error_code: 400 })
    const { message } = body as { message: string }
    expect(message).toContain('contains the following 2 error(s):')
    expect(message).toContain('Missing required configuration "url"')
    expect(message).toContain('Invalid value x for configuration batch.size: expected a whole number, at least 1')
  })

  test('an unknown setting is taken, with a warning that names the nearest', async () => {
    const { status, headers } = await ask('PUT', '/connectors/warned/config', { ...source, 'batch.sise': '1' })
    expect(status).toBe(201)
    expect(headers.get('warning')).toBe(
      '299 tidewire "Unknown configuration batch.sise has no effect: did you mean batch.size?"',
    )
  })

  test.each([
    [
      'POST',
      '/connectors',
      '{"name": "x", "config": {"a" 1}}',
      /unexpected character at line 1 column 30 \(offset 29\)/,
    ],
    ['POST', '/connectors', '[]', /must be a JSON object/],
    ['POST', '/connectors', undefined, /must be a JSON object/],
    ['POST', '/connectors', '{"name":"x"}', /has no config/],
    ['POST', '/connectors', '{"config":{}}', /name must not be empty/],
    ['POST', '/connectors', '{"name":"a\\u0000b","config":{}}', /control characters/],
    ['POST', '/connectors', `{"name":"${'x'.repeat(1001)}","config":{}}`, /at most 1000 characters/],
    ['POST', '/connectors', '{"name":"x","config":{},"state":"y"}', /Unrecognized field state/],
    ['POST', '/connectors', '{"name":"x","config":{"name":"y"}}', /doesn't match connector name/],
    ['PUT', '/connectors/x/config', '{"a":null}', /Null value can not be supplied as the configuration value of a/],
    ['PUT', '/connectors/x/config', '{"a":[1]}', /Configuration a must be text/],
    ['PUT', '/connectors/x/config', '{"connector.class":"nope"}', /Failed to find any connector plugin with name nope/],
    ['PUT', '/connector-plugins/test-sink/config/validate', '{"connector.class":"test-source"}', /does not match/],
  ])('%s %s %s: 400', async (method, path, body, reason) => {
    const answer = await ask(method, path, body)
    expect(answer).toMatchObject({ status: 400, body: { error_code: 400, message: expect.stringMatching(reason) } })
  })

  test('a config that is refused tells of unknown settings too: a mistyped name is often why another is missing', async () => {
    const { status, body } = await ask('PUT', '/connectors/bad/config', {
      'connector.class': 'test-source',
      topic: 't',
      urll: 'u',
    })
    expect(status).toBe(400)
    const { message } = body as { message: string }
    expect(message).toContain('contains the following 1 error(s):')
    expect(message).toContain('Unknown configuration urll has no effect: did you mean url?')
  })

  test('the longest name can be asked for and deleted', async () => {
    const name = '漢'.repeat(1000)
    const path = `/connectors/${encodeURIComponent(name)}`
    expect(await ask('PUT', `${path}/config`, source)).toMatchObject({ status: 201 })
    expect(await ask('GET', path)).toMatchObject({ status: 200, body: { name } })
    expect((await ask('DELETE', path)).status).toBe(204)
  })

  test('too large: 413; another type: 415; unknown path: 404; unknown method: 405; all in one shape', async () => {
    expect(await ask('POST', '/connectors', `{"name":"${'x'.repeat(1024 * 1024)}"}`)).toMatchObject({
      status: 413,
      body: { error_code: 413, message: 'HTTP 413 Request Entity Too Large: at most 1048576 bytes' },
    })
    // More than one connector may come at once.
    expect(await ask('PUT', '/connectors?dryRun=true', `{}${' '.repeat(2 * 1024 * 1024)}`)).toMatchObject({
      status: 200,
    })
    expect(await ask('POST', '/connectors', '{}', { 'content-type': 'text/plain' })).toMatchObject({
      status: 415,
      body: { error_code: 415 },
    })
    expect(await ask('GET', '/nope')).toMatchObject({
      status: 404,
      body: { error_code: 404, message: 'HTTP 404 Not Found' },
    })
    const wrongMethod = await ask('DELETE', '/connectors')
    expect(wrongMethod).toMatchObject({ status: 405, body: { error_code: 405 } })
    expect(wrongMethod.headers.get('allow')).toContain('POST')
    expect(await ask('GET', '/connectors/%')).toMatchObject({ status: 400, body: { error_code: 400 } })
  })

  test('from pages of other sites: 403, and never a permission to read', async () => {
    const foreign = await ask('POST', '/connectors/two/restart', undefined, { origin: 'http://evil.example' })
    expect(foreign).toMatchObject({ status: 403, body: { error_code: 403 } })
    expect((await ask('POST', '/connectors/two/restart', undefined, { origin: server.url })).status).toBe(204)
    expect(
      (await ask('GET', '/connectors', undefined, { origin: 'http://evil.example' })).headers.get(
        'access-control-allow-origin',
      ),
    ).toBeNull()
    expect(await statusFor('evil.example')).toBe(403)
    expect(await statusFor('known')).toBe(200)
    expect(await statusFor(`localhost:${server.listeners[0]!.port}`)).toBe(200)
    expect(await statusFor('[::1]:8083')).toBe(200)
  })
})

describe('plugins', () => {
  test('are listed, described, and validate configs', async () => {
    expect((await ask('GET', '/connector-plugins')).body).toEqual([
      { class: 'com.acme.TestSourceConnector', type: 'source', version: '1.2.3', name: 'test-source' },
      { class: 'test-exact-source', type: 'source', version: '1.2.3', name: 'test-exact-source' },
      { class: 'test-sink', type: 'sink', version: '1.2.3', name: 'test-sink' },
    ])
    expect((await ask('GET', '/connector-plugins?connectorsOnly=false')).body).toContainEqual(
      expect.objectContaining({ type: 'converter', name: 'json' }),
    )
    const config = await ask('GET', '/connector-plugins/TestSourceConnector/config')
    expect(config.body).toContainEqual({
      name: 'batch.size',
      type: 'INT',
      required: false,
      default_value: '10',
      importance: 'MEDIUM',
      documentation: 'Records.',
      group: null,
      width: 'NONE',
      display_name: 'batch.size',
      dependents: [],
      order_in_group: -1,
    })
    const validated = await ask('PUT', '/connector-plugins/TestSource/config/validate', {
      ...source,
      'connector.class': 'com.acme.TestSourceConnector',
      name: 'x',
    })
    expect(validated).toMatchObject({ status: 200, body: { name: 'com.acme.TestSourceConnector', error_count: 0 } })
    expect((await ask('PUT', '/connector-plugins/nope/config/validate', source)).status).toBe(404)
  })
})

describe('the place of a mistake in a body', () => {
  test.each([
    ['', undefined],
    ['{"a": "pass"word"}', 'unexpected character at line 1 column 13 (offset 12)'],
    ['{"a": 1,\n "b": }', 'unexpected } at line 2 column 7 (offset 15)'],
    ['{"a": [1, 2', 'it ends too early at line 1 column 12 (offset 11)'],
    ['[1,]', 'unexpected ] at line 1 column 4 (offset 3)'],
    ['{} {}', 'unexpected { at line 1 column 4 (offset 3)'],
    ["{'a': 1}", "unexpected ' at line 1 column 2 (offset 1)"],
    ['[01]', 'unexpected character at line 1 column 3 (offset 2)'],
  ])('%j', (text, place) => {
    if (place === undefined) expect(parseJsonBody(text)).toBeUndefined()
    else expect(() => parseJsonBody(text)).toThrow(place)
  })

  test('is found in whatever JavaScript refuses, and only there', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.string(), (json, at, noise) => {
        const text = json.slice(0, at % (json.length + 1)) + noise + json.slice(at % (json.length + 1))
        if (text.trim() === '') return
        let valid = true
        try {
          JSON.parse(text)
        } catch {
          valid = false
        }
        if (valid) parseJsonBody(text)
        else expect(() => parseJsonBody(text)).toThrow(/offset \d+/)
      }),
    )
    expect(() => parseJsonBody('['.repeat(500_000))).toThrow('it ends too early')
  })
})

/** The status for a request whose Host header says this; fetch does not let it be set. */
async function statusFor(host: string): Promise<number> {
  const socket = connect(server.listeners[0]!.port, '127.0.0.1')
  socket.write(`GET /connectors HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  const [data] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return Number(data.toString().split(' ')[1])
}
