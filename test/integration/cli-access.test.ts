/** The command line and workers that want to know who asks. */
import { createPrivateKey, createSign, generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { makeCertificates, type TestCertificates } from '../support/security.ts'
import { runTidewire } from '../support/tidewire.ts'
import { ownGroup, workerSet } from '../support/worker-set.ts'

const set = workerSet({ sharesLog: true })

let certificates: TestCertificates
beforeAll(async () => {
  certificates = await makeCertificates(set.folder)
})

let groups = 0
/** A worker in a cluster of its own; returns how the command line asks it. */
async function started(settings: Readonly<Record<string, string>>) {
  const { url } = await set.start({ ...ownGroup(`closed-${groups++}`), ...settings })
  return async (env: Record<string, string>, ...more: readonly string[]) =>
    runTidewire(['connector', 'list', '-o', 'json', '--url', url, ...more], { env })
}

test('with a user and password in the environment', async () => {
  const users = join(set.folder, 'users')
  expect((await runTidewire(['user', 'me', '--file', users], { input: 'secret' })).code).toBe(0)
  const list = await started({ 'rest.users.file': users, 'rest.users.admin': 'me' })
  const nobody = await list({})
  expect(nobody.code).toBe(1)
  expect(nobody.stderr).toContain('set TIDEWIRE_USER and TIDEWIRE_PASSWORD')
  const wrong = await list({ TIDEWIRE_USER: 'me', TIDEWIRE_PASSWORD: 'guess' })
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).not.toContain('guess')
  expect(await list({ TIDEWIRE_USER: 'me', TIDEWIRE_PASSWORD: 'secret' })).toEqual({
    code: 0,
    stdout: '[]\n',
    stderr: '',
  })
})

test('with a client certificate: by options, or by the environment', async () => {
  const list = await started({
    listeners: 'https://127.0.0.1:0',
    'listeners.https.ssl.keystore.location': certificates.serverFile,
    'listeners.https.ssl.truststore.location': certificates.caFile,
    'listeners.https.ssl.client.auth': 'required',
    'rest.certificate.admin': 'client',
  })
  const done = { code: 0, stdout: '[]\n', stderr: '' }
  // Key and certificate are in one file here.
  expect(await list({}, '--cert', certificates.clientFile, '--ca', certificates.caFile)).toEqual(done)
  const key = join(set.folder, 'client.key')
  await writeFile(key, createPrivateKey(certificates.client).export({ type: 'pkcs8', format: 'pem' }))
  const env = { TIDEWIRE_CERT: certificates.clientFile, TIDEWIRE_KEY: key, TIDEWIRE_CA: certificates.caFile }
  expect(await list(env)).toEqual(done)
  const cipher = { cipher: 'aes-256-cbc', passphrase: 'hunter22' }
  await writeFile(key, createPrivateKey(certificates.client).export({ type: 'pkcs8', format: 'pem', ...cipher }))
  expect(await list({ ...env, TIDEWIRE_KEY_PASSWORD: 'hunter22' })).toEqual(done)
  expect((await list({ ...env, TIDEWIRE_KEY_PASSWORD: 'guess' })).code).toBe(2)

  const without = await list({}, '--ca', certificates.caFile)
  expect(without.code).toBe(4)
  expect(without.stderr).toContain('it may want a client certificate: give one with --cert and --key')
  const unknown = await list({}, '--cert', certificates.clientFile)
  expect(unknown.code).toBe(4)
  expect(unknown.stderr).toContain('give the certificate of its authority with --ca')
})

test('with a token, which is told when it has expired', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const keys = join(set.folder, 'jwks.json')
  await writeFile(
    keys,
    JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256' }] }),
  )
  const list = await started({
    'rest.bearer.issuer': 'https://idp.example',
    'rest.bearer.audience': 'tidewire',
    'rest.bearer.jwks': keys,
  })
  const token = (exp: number): string => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = { iss: 'https://idp.example', aud: 'tidewire', sub: 'me', roles: ['tidewire-admin'], exp }
    const signed = `${part({ alg: 'ES256', kid: 'one' })}.${part(claims)}`
    const signature = createSign('sha256').update(signed).sign({ key: privateKey, dsaEncoding: 'ieee-p1363' })
    return `${signed}.${signature.toString('base64url')}`
  }
  const now = Math.floor(Date.now() / 1000)
  expect(await list({ TIDEWIRE_TOKEN: token(now + 600) })).toEqual({ code: 0, stdout: '[]\n', stderr: '' })
  const expired = await list({ TIDEWIRE_TOKEN: token(now - 600) })
  expect(expired.code).toBe(1)
  expect(expired.stderr).toContain(`expired at ${new Date((now - 600) * 1000).toISOString()}: set a new one`)
})
