/** The converters' client of a registry behind TLS that asks for a certificate. */
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isErrorKind } from '@tidewire/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compileSettings } from '../../core/src/config/settings.ts'
import { RegistryClient } from '../../core/src/registry-client/registry-client.ts'
import { registryClientSettings } from '../../core/src/registry-client/settings.ts'
import { makeCertificates, type TestCertificates } from '../support/security.ts'

let folder: string
let certificates: TestCertificates
let server: Server

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-tls-'))
  certificates = await makeCertificates(folder)
  const pem = await readFile(certificates.serverFile)
  const options = { key: pem, cert: pem, ca: certificates.ca, requestCert: true, rejectUnauthorized: true }
  server = createServer(options, (_request, response) => response.end('{"schema":"\\"int\\""}'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
})

afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await rm(folder, { recursive: true, force: true })
})

function client(settings: Readonly<Record<string, unknown>>, host = '127.0.0.1'): RegistryClient {
  const { config, errors } = compileSettings(registryClientSettings)({
    'schema.registry.url': `https://${host}:${(server.address() as AddressInfo).port}`,
    'max.retries': 0,
    ...settings,
  })
  expect(errors).toEqual({})
  return new RegistryClient(config)
}

const refusal = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error)

test('with the authority and an own certificate', async () => {
  const settings = {
    'schema.registry.ssl.truststore.location': certificates.caFile,
    'schema.registry.ssl.keystore.location': certificates.clientFile,
  }
  expect(await client(settings).schemaById(1)).toMatchObject({ schema: '"int"' })
  expect(await client(settings, 'localhost').schemaById(1)).toMatchObject({ schema: '"int"' })
})

test.each([
  ['an authority that is not known', () => ({})],
  ['no certificate of its own', () => ({ 'schema.registry.ssl.truststore.location': certificates.caFile })],
  ['a file that is not there', () => ({ 'schema.registry.ssl.truststore.location': '/nowhere.pem' })],
])('%s is the fault of the config, and said so', async (_name, settings) => {
  const error = await refusal(client(settings()).schemaById(1))
  expect(String(error)).toContain('schema.registry.ssl')
  expect(isErrorKind(error, 'ConfigError')).toBe(true)
})
