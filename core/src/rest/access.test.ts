/** Who may do what, asked over HTTP of a worker with users and tokens. */
import { createServer } from 'node:http'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as fc from 'fast-check'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { restSettings, type RestConfig } from '../config/rest-settings.ts'
import { compileSettings } from '../config/settings.ts'
import { startHerder, type Fixture } from '../herder/testing/fixture.ts'
import { createLogger, silentLogger, type Logger } from '../logging/logger.ts'
import { Access } from './access.ts'
import { BasicLogin, type Passwords } from './basic-login.ts'
import { BearerLogin } from './bearer-login.ts'
import { startRest, type RestServer } from './server.ts'

const source = { 'connector.class': 'test-source', url: 'tcp://x' }
const settings = (given: Record<string, unknown>): RestConfig => {
  const { config, errors } = compileSettings(restSettings)(given)
  expect(errors).toEqual({})
  return config
}

/** Whoever's password is `<name>'s` is right. */
class TestPasswords implements Passwords {
  file: object = {}
  verified = 0
  readonly unknown = new Set<string>()

  async users(): Promise<object> {
    return Promise.resolve(this.file)
  }

  async verify(user: string, password: string): Promise<boolean> {
    this.verified++
    return Promise.resolve(password === `${user}'s` && !this.unknown.has(user))
  }
}

const basic = (name: string, password = `${name}'s`) => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
})

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly message: string
}

async function ask(
  server: RestServer,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: object,
): Promise<Answer> {
  const answer = await fetch(server.url + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const answered = await answer.text()
  const parsed: unknown = answered.startsWith('{') ? JSON.parse(answered) : {}
  return { status: answer.status, headers: answer.headers, message: (parsed as { message?: string }).message ?? '' }
}

/** The status of the answer to a request line, sent as it stands. */
async function rawStatus(line: string): Promise<number> {
  const socket = connect(server.listeners[0]!.port, '127.0.0.1')
  socket.end(`${line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
  return Number(/^HTTP\/1\.1 (\d+)/.exec(await text(socket))?.[1])
}

const names = { view: ['*'], operate: ['otto'], admin: ['ada'] }
let fixture: Fixture
let passwords: TestPasswords
let server: RestServer
let logged: { message: string; details: object }[]

beforeAll(async () => {
  fixture = await startHerder()
  await fixture.herder.writes.putConfig('one', source)
})
afterAll(() => fixture.herder.close())

const logger: Logger = createLogger({
  write: (_, message, details) => void logged.push({ message, details }),
})

async function withAccess<T>(
  access: Access,
  work: (server: RestServer) => Promise<T>,
  config?: RestConfig,
): Promise<T> {
  const started = await startRest({ logger: silentLogger, version: '1', access, ...(config && { config }) })
  started.serve(fixture.herder)
  try {
    return await work(started)
  } finally {
    await started.close()
  }
}

describe('by name and password', () => {
  beforeEach(() => {
    logged = []
    passwords = new TestPasswords()
  })
  const run = (work: () => Promise<void>) => async () => {
    const access = new Access({ basic: new BasicLogin(passwords, names, logger), healthOpen: true })
    await withAccess(access, async (started) => {
      server = started
      await work()
    })
  }

  test(
    'nobody gets in without, and is told how',
    run(async () => {
      for (const headers of [
        {},
        basic('ada', 'wrong'),
        basic(''),
        { authorization: 'Basic !!' },
        { authorization: 'x' },
      ]) {
        for (const path of ['/', '/connectors', '/nope', '/connectors/one']) {
          const answer = await ask(server, 'GET', path, headers)
          expect([path, answer.status]).toEqual([path, 401])
          expect(answer.headers.get('www-authenticate')).toBe('Basic realm="tidewire", charset="UTF-8"')
        }
      }
      expect((await ask(server, 'DELETE', '/connectors/one')).status).toBe(401)
      expect((await ask(server, 'GET', '/connectors', { authorization: 'Bearer abc' })).status).toBe(401)
      expect((await ask(server, 'GET', '/health')).status).toBe(200)
    }),
  )

  test(
    'the pages need no log-in, and hold nothing; a script is not answered with what opens the browser’s own form',
    run(async () => {
      for (const path of ['/', '/docs', '/console/main.ts', '/console/style.css']) {
        expect([path, (await ask(server, 'GET', path, { accept: 'text/html' })).status]).toEqual([path, 200])
      }
      expect((await ask(server, 'GET', '/connectors', { accept: 'text/html' })).status).toBe(401)
      expect((await ask(server, 'GET', '/openapi.json', { accept: 'text/html' })).status).toBe(401)
      const asked = await ask(server, 'GET', '/connectors', { 'x-requested-with': 'x', ...basic('ada', 'wrong') })
      expect(asked.status).toBe(401)
      expect(asked.headers.get('www-authenticate')).toBe('X-Basic realm="tidewire", charset="UTF-8"')
    }),
  )

  test(
    'each role may do its own, and is told what the rest needs',
    run(async () => {
      const may: [method: string, path: string, body: object | undefined, least: string][] = [
        ['GET', '/connectors?expand=info', undefined, 'view'],
        ['GET', '/connectors/one/status', undefined, 'view'],
        ['GET', '/admin/workers', undefined, 'view'],
        ['PUT', '/connectors/one/pause', undefined, 'operate'],
        ['PUT', '/connectors/one/resume', undefined, 'operate'],
        ['GET', '/connectors/one/dlq', undefined, 'operate'],
        ['POST', '/connectors/one/preview', {}, 'operate'],
        ['POST', '/connectors/one/preview', { config: source }, 'admin'],
        ['POST', '/connectors/preview', { config: source }, 'admin'],
        ['PUT', '/connector-plugins/test-source/config/validate', source, 'operate'],
        ['PUT', '/connector-plugins/test-source/config/validate?deep=true', source, 'admin'],
        ['POST', '/connectors/one/signals', { type: 'log' }, 'admin'],
        ['PUT', '/connectors/one/config', source, 'admin'],
        ['PUT', '/admin/drain', undefined, 'admin'],
      ]
      const order = ['vera', 'otto', 'ada']
      for (const [method, path, body, least] of may) {
        for (const [rank, user] of order.entries()) {
          const { status, message } = await ask(server, method, path, basic(user), body)
          const allowed = rank >= ['view', 'operate', 'admin'].indexOf(least)
          expect([method, path, user, status === 403]).toEqual([method, path, user, !allowed])
          if (!allowed)
            expect(message).toMatch(
              /^This needs the role (operate|admin), and \w+ has the role (view|operate); the settings rest\.users/,
            )
        }
      }
      expect((await ask(server, 'GET', '/nope', basic('vera'))).status).toBe(404)
      expect((await ask(server, 'DELETE', '/connectors', basic('vera'))).status).toBe(405)
    }),
  )

  test(
    'what workers ask of one another is open to no user',
    run(async () => {
      expect((await ask(server, 'PUT', '/connectors/one/fence', basic('ada'))).status).toBe(400)
    }),
  )

  test(
    'no way of writing a path goes round the log-in',
    run(async () => {
      const piece = fc.constantFrom(
        ...[
          'connectors',
          'CONNECTORS',
          'one',
          'status',
          'config',
          'admin',
          'workers',
          'health',
          'docs',
          'openapi.json',
          'tasks',
          'fence',
        ],
        ...['..', '.', '', '%2e%2e', '%2f', ';x', '?', '#', '%00', '\\', ' ', '*', ':name', 'http:', '%', '\u00e9'],
      )
      const path = fc.array(piece, { maxLength: 6 }).map((pieces) => `/${pieces.join('/')}`)
      const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE')
      await fc.assert(
        fc.asyncProperty(method, path, async (asked, url) => {
          const status = await rawStatus(`${asked} ${url}`)
          // The workers' own calls ask for a signature.
          const open = [400, 401, ...(/^\/health\/?([?#;].*)?$/.test(url) ? [200, 405] : [])]
          expect(open).toContain(status)
        }),
        { numRuns: 300 },
      )
    }),
  )

  test(
    'a right password is derived once, until the users change',
    run(async () => {
      for (let i = 0; i < 3; i++) expect((await ask(server, 'GET', '/connectors', basic('vera'))).status).toBe(200)
      expect(passwords.verified).toBe(1)
      passwords.file = {}
      passwords.unknown.add('vera')
      expect((await ask(server, 'GET', '/connectors', basic('vera'))).status).toBe(401)
    }),
  )

  test(
    'who guesses is stopped; who is known already, at the same address, is not',
    run(async () => {
      expect((await ask(server, 'GET', '/connectors', basic('vera'))).status).toBe(200)
      const statuses: number[] = []
      for (let i = 0; i < 12; i++) statuses.push((await ask(server, 'GET', '/connectors', basic('ada', `${i}`))).status)
      expect(statuses.slice(0, 10)).toEqual(Array(10).fill(401))
      expect(statuses.slice(10)).toEqual([429, 429])
      const right = await ask(server, 'GET', '/connectors', basic('ada'))
      expect([right.status, Number(right.headers.get('retry-after')) > 0]).toEqual([429, true])
      expect((await ask(server, 'GET', '/connectors', basic('vera'))).status).toBe(200)
      expect(passwords.verified).toBe(11)
      expect(logged.map(({ message }) => message)).toEqual(Array(10).fill('A log-in to REST failed'))
      expect(JSON.stringify(logged)).not.toContain("'s")
    }),
  )

  test(
    'users that cannot be read are the worker’s fault',
    run(async () => {
      passwords.users = async () => Promise.reject(new Error('gone'))
      expect((await ask(server, 'GET', '/connectors', basic('vera'))).status).toBe(503)
      expect(JSON.stringify(logged)).toContain('gone')
    }),
  )

  test('somebody without a role may do nothing', async () => {
    const login = new BasicLogin(passwords, { ...names, view: [] }, logger)
    await withAccess(new Access({ basic: login, healthOpen: false }), async (started) => {
      const { status, message } = await ask(started, 'GET', '/connectors', basic('vera'))
      expect([status, message]).toEqual([
        403,
        'This needs the role view, and vera has no role; the settings rest.users.* give roles',
      ])
      expect((await ask(started, 'GET', '/health')).status).toBe(401)
    })
  })
})

describe('by token', () => {
  const audience = 'tidewire'
  let key: CryptoKey
  let jwk: JWK
  let issuer: string
  let asked: string[]
  let isAway = false
  let published: JWK[]
  let now = 0
  const provider = createServer((request, response) => {
    asked.push(request.url!)
    const body = request.url === '/keys' ? { keys: published } : { issuer, jwks_uri: `${issuer}/keys` }
    response.writeHead(isAway ? 500 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  beforeAll(async () => {
    const pair = await generateKeyPair('ES256')
    key = pair.privateKey
    jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256' }
    await once(provider.listen(0, '127.0.0.1'), 'listening')
    issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`
  })
  afterAll(() => provider.close())
  beforeEach(() => {
    asked = []
    logged = []
    isAway = false
    published = [jwk]
  })

  const token = async (claims: Record<string, unknown>, change: (jwt: SignJWT) => SignJWT = (jwt) => jwt) =>
    change(
      new SignJWT({ sub: 'tom', ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setExpirationTime('5m'),
    ).sign(key)
  const bearer = (jwt: string) => ({ authorization: `Bearer ${jwt}` })
  const login = (given: Record<string, unknown> = {}) =>
    new BearerLogin(
      settings({ 'rest.bearer.issuer': issuer, 'rest.bearer.audience': audience, ...given }),
      logger,
      () => now,
    )
  const accessBy = (given?: Record<string, unknown>) => new Access({ bearer: login(given), healthOpen: true })

  test('roles come from the claim; keys are found by what the provider says of itself', async () => {
    await withAccess(accessBy(), async (started) => {
      const as = async (claims: Record<string, unknown>, method: string, path: string) =>
        (await ask(started, method, path, bearer(await token(claims)))).status
      expect(await as({ roles: ['tidewire-view'] }, 'GET', '/connectors')).toBe(200)
      expect(await as({ roles: 'x tidewire-view' }, 'PUT', '/connectors/one/pause')).toBe(403)
      expect(await as({ roles: ['tidewire-operate'] }, 'PUT', '/connectors/one/pause')).toBe(202)
      expect(await as({ roles: ['other'] }, 'GET', '/connectors')).toBe(403)
      expect(await as({}, 'GET', '/connectors')).toBe(403)
      expect(await as({ roles: ['tidewire-admin'] }, 'DELETE', '/connectors/none')).toBe(404)
      expect(asked).toEqual(['/.well-known/openid-configuration', '/keys'])
    })
  })

  test('the claims’ names and the roles’ values are settings', async () => {
    const given = { 'rest.bearer.roles.claim': 'realm_access.roles', 'rest.bearer.admin': 'boss' }
    await withAccess(accessBy({ ...given, 'rest.bearer.name.claim': 'https://acme.com/name' }), async (started) => {
      const claims = { 'https://acme.com/name': 'Tom', realm_access: { roles: ['boss'] } }
      expect((await ask(started, 'DELETE', '/connectors/none', bearer(await token(claims)))).status).toBe(404)
      const nameless = await token({ realm_access: { roles: ['boss'] } })
      expect((await ask(started, 'GET', '/connectors', bearer(nameless))).status).toBe(401)
    })
  })

  test('what is no good token here is refused', async () => {
    const admin = { roles: ['tidewire-admin'] }
    const other = await generateKeyPair('ES256')
    const shared = new TextEncoder().encode(JSON.stringify(jwk))
    const header = { alg: 'ES256', kid: 'k1' }
    const unsigned = [{ alg: 'none' }, { ...admin, sub: 'x', iss: issuer, aud: audience, exp: 9e9 }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.')
    const bad: Record<string, string> = {
      expired: await token(admin, (jwt) => jwt.setExpirationTime('-2m')),
      'not yet good': await token(admin, (jwt) => jwt.setNotBefore('2m')),
      'without an end': await new SignJWT({ ...admin, sub: 'x' })
        .setProtectedHeader(header)
        .setIssuer(issuer)
        .setAudience(audience)
        .sign(key),
      'for another audience': await token(admin, (jwt) => jwt.setAudience('others')),
      'of another issuer': await token(admin, (jwt) => jwt.setIssuer('http://evil')),
      'signed by another key': await new SignJWT({ ...admin, sub: 'x' })
        .setProtectedHeader(header)
        .setIssuer(issuer)
        .setAudience(audience)
        .setExpirationTime('5m')
        .sign(other.privateKey),
      'signed with the public key as a secret': await new SignJWT({ ...admin, sub: 'x' })
        .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setExpirationTime('5m')
        .sign(shared),
      unsigned: `${unsigned}.`,
      rubbish: 'a.b.c',
    }
    await withAccess(accessBy(), async (started) => {
      for (const [what, jwt] of Object.entries(bad)) {
        const answer = await ask(started, 'GET', '/connectors', bearer(jwt))
        expect([what, answer.status]).toEqual([what, 401])
        expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="tidewire", error="invalid_token"')
      }
    })
    expect(JSON.stringify(logged)).not.toContain(bad['expired'])
  })

  test('a provider that is away is no fault of the token, and is asked again', async () => {
    isAway = true
    await withAccess(accessBy(), async (started) => {
      const good = bearer(await token({ roles: ['tidewire-view'] }))
      const { status, headers } = await ask(started, 'GET', '/connectors', good)
      expect([status, headers.get('retry-after')]).toEqual([503, '5'])
      expect(logged.map(({ message }) => message)).toEqual(['A bearer token cannot be verified'])
      isAway = false
      now += 10_000
      expect((await ask(started, 'GET', '/connectors', good)).status).toBe(200)
    })
  })

  /** Signed by a key of the provider's that it had not published before. */
  const rotate = async (kid: string) => {
    const pair = await generateKeyPair('ES256')
    const publicKey = { ...(await exportJWK(pair.publicKey)), kid, alg: 'ES256' }
    const signed = await new SignJWT({ sub: 'tom', roles: ['tidewire-view'] })
      .setProtectedHeader({ alg: 'ES256', kid })
      .setIssuer(issuer)
      .setAudience(audience)
      .setExpirationTime('5m')
      .sign(pair.privateKey)
    return { publicKey, headers: bearer(signed) }
  }
  const keyReads = () => asked.filter((url) => url === '/keys').length

  test('a key that the provider rotates to is taken with no restart, and a withdrawn one is not', async () => {
    await withAccess(accessBy(), async (started) => {
      const status = async (headers: Record<string, string>) =>
        (await ask(started, 'GET', '/connectors', headers)).status
      const old = bearer(await token({ roles: ['tidewire-view'] }))
      const next = await rotate('k2')
      expect(await status(old)).toBe(200)
      published = [next.publicKey]
      now += 10_000
      expect(await status(next.headers)).toBe(200)
      expect([await status(old), keyReads()]).toEqual([401, 2])
      // With no token that names a new key: old keys are read again by themselves.
      published = [jwk]
      now += 600_000
      expect([await status(next.headers), await status(old), keyReads()]).toEqual([401, 200, 3])
    })
  })

  test('tokens that name keys nobody has do not have the provider asked each time', async () => {
    await withAccess(accessBy(), async (started) => {
      const made = await Promise.all(Array.from({ length: 5 }, (_, i) => rotate(`none-${i}`)))
      const all = async () =>
        Promise.all(made.map(async ({ headers }) => (await ask(started, 'GET', '/connectors', headers)).status))
      expect(await all()).toEqual(Array(5).fill(401))
      expect(keyReads()).toBe(1)
      now += 10_000
      expect(await all()).toEqual(Array(5).fill(401))
      expect(keyReads()).toBe(2)
    })
  })

  test('while the provider is away known keys are good for an hour, and nobody judges unknown ones', async () => {
    await withAccess(accessBy(), async (started) => {
      const status = async (headers: Record<string, string>) =>
        (await ask(started, 'GET', '/connectors', headers)).status
      const good = bearer(await token({ roles: ['tidewire-view'] }))
      const next = await rotate('k3')
      expect(await status(good)).toBe(200)
      isAway = true
      now += 3_599_000
      expect([await status(good), await status(next.headers)]).toEqual([200, 503])
      now += 1000
      expect(await status(good)).toBe(503)
      isAway = false
      published = [jwk, next.publicKey]
      now += 10_000
      expect([await status(good), await status(next.headers)]).toEqual([200, 200])
    })
  })

  test('keys may be in a file, which is read again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tidewire-jwks-'))
    const file = join(folder, 'jwks.json')
    await writeFile(file, JSON.stringify({ keys: [jwk] }))
    await withAccess(accessBy({ 'rest.bearer.jwks': file }), async (started) => {
      const status = async (headers: Record<string, string>) =>
        (await ask(started, 'GET', '/connectors', headers)).status
      const old = bearer(await token({ roles: ['tidewire-view'] }))
      const next = await rotate('k4')
      expect([await status(old), await status(next.headers)]).toEqual([200, 401])
      await writeFile(file, JSON.stringify({ keys: [next.publicKey] }))
      now += 10_000
      expect([await status(old), await status(next.headers)]).toEqual([401, 200])
      // Half written: those known before go on.
      await writeFile(file, '{"keys": [')
      now += 10_000
      expect(await status(next.headers)).toBe(200)
      expect(asked).toEqual([])
    })
    await rm(folder, { recursive: true })
  })

  test('settings that would let strangers in are refused', () => {
    expect(() => login({ 'rest.bearer.audience': '' })).toThrow(/^rest\.bearer\.audience: needed/)
    expect(() => login({ 'rest.bearer.issuer': 'http://idp.example.com' })).toThrow(/must be https/)
    expect(() => login({ 'rest.bearer.jwks': 'http://idp.example.com/keys' })).toThrow(
      /^rest\.bearer\.jwks: .* must be https/,
    )
  })
})
