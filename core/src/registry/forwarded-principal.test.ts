import { afterEach, expect, test, vi } from 'vitest'
import { digestOf, forwardedPrincipal, PrincipalSigner } from './forwarded-principal.ts'

const principal = { name: 'ada', login: 'certificate', role: 'operate' } as const
const passed = { method: 'POST', path: '/subjects/a/versions?normalize=true', body: '{"schema":"\\"int\\""}' }
const signer = new PrincipalSigner()
const keys = new Set([new PrincipalSigner().publicKey, signer.publicKey])
const request = { method: 'POST', url: passed.path, headers: signer.headersFor(principal, passed) }

afterEach(() => {
  vi.useRealTimers()
})

test('who asked is who the other registry says it was', () => {
  expect(forwardedPrincipal(request, keys)).toEqual({ principal, bodyDigest: digestOf(passed.body) })
})

test('what is signed holds for one request', () => {
  expect(forwardedPrincipal({ ...request, method: 'DELETE' }, keys)).toBeUndefined()
  expect(forwardedPrincipal({ ...request, url: '/subjects/b/versions?normalize=true' }, keys)).toBeUndefined()
  expect(digestOf('{"schema":"\\"long\\""}')).not.toBe(digestOf(passed.body))
})

test('what is signed holds for a minute, whichever clock is ahead', () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const signedAt = Date.now()
  const passedOn = { ...request, headers: signer.headersFor(principal, passed) }
  for (const ageMs of [-60_000, 0, 60_000]) {
    vi.setSystemTime(signedAt + ageMs)
    expect(forwardedPrincipal(passedOn, keys)).toMatchObject({ principal })
  }
  vi.setSystemTime(signedAt + 61_000)
  expect(() => forwardedPrincipal(passedOn, keys)).toThrow(
    expect.objectContaining({
      statusCode: 403,
      message: expect.stringContaining('61 s before the time here') as unknown,
    }),
  )
  vi.setSystemTime(signedAt - 61_000)
  expect(() => forwardedPrincipal(passedOn, keys)).toThrow('61 s after the time here')
})

test('the time cannot be changed, nor left out', () => {
  const told = Object.entries(request.headers).find(([name]) => name === 'x-tidewire-principal')?.[1] ?? ''
  const said = JSON.parse(Buffer.from(told, 'base64url').toString()) as Record<string, unknown>
  for (const signedAt of [Number(said['signedAt']) + 1, undefined]) {
    const other = Buffer.from(JSON.stringify({ ...said, signedAt })).toString('base64url')
    const headers = { ...request.headers, 'x-tidewire-principal': other }
    expect(forwardedPrincipal({ ...request, headers }, keys)).toBeUndefined()
  }
})

test('nobody says who they are themselves', () => {
  const other = new PrincipalSigner()
  const admin = { ...principal, role: 'admin' } as const
  const byOther = { ...request, headers: other.headersFor(admin, passed) }
  expect(() => forwardedPrincipal(byOther, keys)).toThrow(expect.objectContaining({ code: 50004 }))
  const [[name, told], [proofName]] = Object.entries(byOther.headers) as [[string, string], [string, string]]
  const forged = JSON.parse(Buffer.from(told, 'base64url').toString()) as object
  const asSigner = Buffer.from(JSON.stringify({ ...forged, key: signer.publicKey })).toString('base64url')
  const headers = { ...byOther.headers, [name]: asSigner }
  expect(forwardedPrincipal({ ...request, headers }, keys)).toBeUndefined()
  for (const text of ['', 'AAAA', Buffer.from('null').toString('base64url')]) {
    expect(forwardedPrincipal({ ...request, headers: { [name]: text, [proofName]: 'AAAA' } }, keys)).toBeUndefined()
  }
  expect(forwardedPrincipal({ ...request, headers: {} }, keys)).toBeUndefined()
})
