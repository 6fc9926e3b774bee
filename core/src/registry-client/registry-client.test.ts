import { isErrorKind, isRetriable } from '@tidewire/sdk'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { compileSettings } from '../config/settings.ts'
import { RegistryClient, type RegistrySchema } from './registry-client.ts'
import { registryClientSettings } from './settings.ts'
import { FakeRegistry } from './testing/fake-registry.ts'

let registry: FakeRegistry
beforeEach(async () => {
  registry = await FakeRegistry.start()
})
afterEach(() => registry[Symbol.asyncDispose]())

function client(settings: Record<string, unknown> = {}, signal?: AbortSignal): RegistryClient {
  const raw = { 'schema.registry.url': registry.url, 'retries.wait.ms': 0, ...settings }
  const { config, errors } = compileSettings(registryClientSettings)(raw)
  expect(errors).toEqual({})
  return new RegistryClient(config, signal)
}

const schema: RegistrySchema = { type: 'AVRO', schema: '"string"', references: [] }
const normalize = { normalize: false }
const unavailable = { status: 503, body: { error_code: 50301, message: 'not now' } }

const refusal = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('what has been asked is known', () => {
  test('a schema is registered once, and its id fetched once, by however many at a time', async () => {
    const ours = client()
    const ids = await Promise.all([1, 2, 3].map(() => ours.register('s', schema, normalize)))
    await ours.register('s', schema, normalize)
    expect(ids).toEqual([{ id: 1 }, { id: 1 }, { id: 1 }])
    expect(registry.requests).toEqual(['POST /subjects/s/versions?normalize=false'])
    await Promise.all([ours.schemaById(1), ours.schemaById(1)])
    expect(await ours.schemaById(1)).toEqual({ ...schema, id: 1 })
    expect(registry.requests).toHaveLength(2)
  })

  test('an id that is not there is not asked for again at once', async () => {
    const ours = client()
    for (let time = 0; time < 3; time++) {
      const error = await refusal(ours.schemaById(7))
      expect(isErrorKind(error, 'DataError')).toBe(true)
      expect(String(error)).toContain('Schema not found')
    }
    expect(registry.requests).toEqual(['GET /schemas/ids/7'])
  })

  test('but it is where that is set to no time', async () => {
    const ours = client({ 'missing.id.cache.ttl.sec': 0 })
    await refusal(ours.schemaById(1))
    registry.add('s', '"string"')
    expect(await ours.schemaById(1)).toMatchObject({ schema: '"string"' })
  })

  test('the latest version ages', async () => {
    registry.add('s', '"string"')
    const ours = client({ 'latest.cache.ttl.sec': 0 })
    await ours.latest('s')
    registry.add('s', '"int"')
    expect(await ours.latest('s')).toMatchObject({ schema: '"int"', version: 2 })
  })

  test('the cache is bounded', async () => {
    const ours = client({ 'max.schemas.per.subject': 1 })
    for (let index = 0; index < 5; index++) registry.add('s', `"${index}"`)
    for (const id of [1, 2, 3, 4, 5, 1, 1]) await ours.schemaById(id)
    expect(registry.requests).toHaveLength(6)
  })

  test('in bytes too', async () => {
    const ours = client()
    for (const letter of 'abc') registry.add('s', JSON.stringify(letter.repeat(12 * 1024 * 1024)))
    for (const id of [1, 2, 3, 1, 1]) await ours.schemaById(id)
    expect(registry.requests).toHaveLength(4)
  })
})

describe('failures', () => {
  test.each([[unavailable], [{ status: 500, body: 'no JSON' }], [{ status: 429, body: {} }], [undefined]])(
    'a passing one is tried again: %j',
    async (failure) => {
      registry.failures.push(failure, failure)
      expect(await client().register('s', schema, normalize)).toEqual({ id: 1 })
      expect(registry.requests).toHaveLength(3)
    },
  )

  test('after max.retries the caller is told, who may try again', async () => {
    registry.failures.push(...Array<typeof unavailable>(2).fill(unavailable))
    const ours = client({ 'max.retries': 1 })
    const error = await refusal(ours.register('s', schema, normalize))
    expect(isRetriable(error)).toBe(true)
    expect(String(error)).toContain('not now')
    expect(await ours.register('s', schema, normalize)).toEqual({ id: 1 })
  })

  test('the next URL is asked where one does not answer, and from then on first', async () => {
    await using dead = await FakeRegistry.start()
    dead.failures.push(undefined, unavailable)
    const ours = client({ 'schema.registry.url': `${dead.url},${registry.url}`, 'max.retries': 0 })
    await ours.register('s', schema, normalize)
    await ours.register('t', schema, normalize)
    expect(dead.requests).toHaveLength(1)
    expect(registry.requests).toHaveLength(2)
  })

  test('a refusal is the record’s fault and says the registry’s reason', async () => {
    registry.failures.push({ status: 409, body: { error_code: 40901, message: 'incompatible: READER_FIELD…' } })
    const error = await refusal(client().register('s', schema, normalize))
    expect(isErrorKind(error, 'DataError')).toBe(true)
    expect(error).toMatchObject({ code: 'REGISTRY_40901' })
    expect(String(error)).toContain('incompatible: READER_FIELD…')
  })

  const page = '<!doctype html><title>Not here</title>' + 'x'.repeat(10_000)
  test.each<[string, { status: number; body: unknown; headers?: Record<string, string> }, RegExp]>([
    [
      'a page',
      { status: 404, body: page },
      /HTTP status 404: <!doctype html><title>Not here.{150,200}…, no answer of a sch/,
    ],
    ['a page that is fine', { status: 200, body: page }, /HTTP status 200: <!doctype html>/],
    [
      'a redirect',
      { status: 302, body: '', headers: { location: 'https://u:secret@sso.example/log-in?token=secret' } },
      /HTTP status 302 to https:\/\/sso\.example\/log-in, no/,
    ],
    [
      'a path of nobody',
      { status: 404, body: { error_code: 404, message: 'HTTP 404 Not Found' } },
      /HTTP 404 Not Found/,
    ],
    ['JSON of something else', { status: 404, body: { error: 'no such route' } }, /\{"error":"no such route"\}/],
    ['a proxy that wants a log-in', { status: 407, body: 'who are you?' }, /HTTP status 407: who are you\?/],
    [
      'JSON that is no answer to this',
      { status: 200, body: { status: 'ok' } },
      /HTTP status 200: \{"status":"ok"\}, no/,
    ],
    ['null', { status: 200, body: 'null' }, /HTTP status 200: null, no/],
  ])('%s is no answer of a registry, and no fault of a record', async (_name, answer, message) => {
    registry.failures.push(answer)
    const error = await refusal(client({ 'max.retries': 0 }).register('s', schema, normalize))
    expect(isRetriable(error)).toBe(true)
    expect(String(error)).toMatch(message)
    expect(String(error)).toContain('schema.registry.url')
    expect(String(error)).not.toContain('secret')
    expect(String(error).length).toBeLessThan(600)
  })

  test('an answer that is none names the URL that was asked', async () => {
    registry.failures.push({ status: 404, body: page })
    const ours = client({ 'schema.registry.url': `${registry.url}/wrong/`, 'max.retries': 0 })
    expect(String(await refusal(ours.schemaById(7)))).toContain(`GET ${registry.url}/wrong/schemas/ids/7: HTTP`)
  })

  test('a reason that quotes whole schemas is cut', async () => {
    registry.failures.push({ status: 409, body: { error_code: 409, message: `old schema: ${'x'.repeat(100_000)}` } })
    const error = await refusal(client().register('s', schema, normalize))
    expect(isErrorKind(error, 'DataError')).toBe(true)
    expect(String(error).length).toBeLessThan(5_000)
  })

  test('who is not let in is told so', async () => {
    registry.failures.push({ status: 401, body: { message: 'Unauthorized' } })
    expect(isErrorKind(await refusal(client().schemaById(1)), 'ConfigError')).toBe(true)
  })

  test('an answer that does not come is waited for only so long', async () => {
    registry.failures.push('silence')
    const error = await refusal(client({ 'http.read.timeout.ms': 50, 'max.retries': 0 }).schemaById(1))
    expect(String(error)).toContain('no answer within 50 ms')
    expect(isRetriable(error)).toBe(true)
  })

  test('no round of attempts begins after the time that one request may take', async () => {
    registry.failures.push('silence', 'silence', 'silence')
    const times = { 'http.connect.timeout.ms': 5_000, 'http.read.timeout.ms': 50, 'retries.wait.ms': 15_000 }
    const error = await refusal(client({ ...times, 'max.retries': 1_000 }).schemaById(1))
    expect(String(error)).toContain('no answer within 50 ms')
    expect(registry.requests).toHaveLength(1)
  })

  test('the end of a task ends what is asked and what would be asked again', async () => {
    registry.failures.push('silence')
    const abort = new AbortController()
    const ours = client({}, abort.signal)
    const asking = refusal(ours.schemaById(1))
    await expect.poll(() => registry.requests.length).toBe(1)
    abort.abort()
    expect(isRetriable(await asking)).toBe(true)
    expect(isRetriable(await refusal(ours.schemaById(2)))).toBe(true)
    expect(registry.requests).toHaveLength(1)
  })

  test('and the pause between two attempts', async () => {
    registry.failures.push(unavailable, unavailable)
    const abort = new AbortController()
    const asking = refusal(
      client({ 'retries.wait.ms': 50_000, 'retries.max.wait.ms': 50_000 }, abort.signal).schemaById(1),
    )
    await expect.poll(() => registry.requests.length).toBe(1)
    abort.abort()
    expect(isRetriable(await asking)).toBe(true)
    expect(registry.requests).toHaveLength(1)
  })
})

describe('who asks', () => {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
  test.each<[Record<string, unknown>, string | undefined]>([
    [{}, undefined],
    [{ 'basic.auth.credentials.source': 'USER_INFO', 'basic.auth.user.info': 'u:p:q' }, basic('u:p:q')],
    [{ 'basic.auth.credentials.source': 'USER_INFO', 'schema.registry.basic.auth.user.info': 'u:p' }, basic('u:p')],
    [
      {
        'basic.auth.credentials.source': 'SASL_INHERIT',
        'sasl.jaas.config': 'org.apache.kafka…PlainLoginModule required username="u" password="s e";',
      },
      basic('u:s e'),
    ],
    [{ 'bearer.auth.token': 'abc' }, 'Bearer abc'],
  ])('%j', async (settings, authorization) => {
    await client(settings).register('s', schema, normalize)
    expect(registry.authorization).toBe(authorization)
  })

  test('user and password of the URL, and its path', async () => {
    const url = registry.url.replace('//', '//us%40er:pa%3Ass@')
    await client({ 'schema.registry.url': `${url}/contexts/.a/` })
      .register('s', schema, normalize)
      .catch(() => undefined)
    expect(registry.authorization).toBe(basic('us@er:pa:ss'))
    expect(registry.requests[0]).toMatch(/^POST \/contexts\/\.a\/subjects\/s\/versions/)
  })

  test.each<[Record<string, unknown>, RegExp]>([
    [{ 'schema.registry.url': 'ftp://user:secret@x' }, /it is not a URL of http/],
    [{ 'schema.registry.url': '127.0.0.1:8081' }, /127\.0\.0\.1:8081 is not a URL of http or https, such as/],
    [{ 'schema.registry.url': 'http://user:50%secret@x' }, /a % in a user or password is %25/],
    [{ 'basic.auth.credentials.source': 'USER_INFO' }, /user:password/],
    [{ 'basic.auth.credentials.source': 'SASL_INHERIT' }, /username/],
  ])('is refused: %j', (settings, message) => {
    expect(() => client(settings)).toThrow(message)
    expect(() => client(settings)).not.toThrow(/secret/)
  })
})

test('references are followed to their ends, each name once and first what others refer to', async () => {
  const ref = (name: string, version = 1) => ({ name, subject: name, version })
  registry.add('c', 'C')
  registry.add('b', 'B', 'JSON', [ref('c')])
  registry.add('a', 'A', 'JSON', [ref('b'), ref('c')])
  const found = await client().references({ type: 'JSON', schema: 'X', references: [ref('a'), ref('c')] })
  expect(found.map(({ name, schema: text }) => `${name}${text}`)).toEqual(['cC', 'bB', 'aA'])
})
