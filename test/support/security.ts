/** Certificates, users and brokers that ask for them, for tests. */
import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { BrokerConfig } from '../../core/src/broker/config.ts'
import { credentialLines } from '../../core/src/broker/sasl/credentials.ts'
import { temporaryFolder, testBroker, type TestBroker } from './broker.ts'

const run = promisify(execFile)

export interface TestCertificates {
  /** PEM files: the authority's certificate; key and certificate of a server on 127.0.0.1 and localhost; of a client. */
  readonly caFile: string
  readonly serverFile: string
  readonly clientFile: string
  readonly ca: string
  readonly client: string
}

export async function makeCertificates(folder: string): Promise<TestCertificates> {
  const file = (name: string): string => join(folder, name)
  const openssl = (...args: string[]) => run('openssl', args)
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  await openssl('req', '-x509', ...newKey, '-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', '/CN=Test CA')
  const issue = async (name: string, extension: string): Promise<string> => {
    await openssl('req', ...newKey, '-keyout', file('key'), '-out', file('csr'), '-subj', `/CN=${name}`)
    await writeFile(file('ext'), extension)
    const authority = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial']
    await openssl('x509', '-req', '-in', file('csr'), ...authority, '-extfile', file('ext'), '-out', file('cert'))
    const both = file(`${name}.pem`)
    await writeFile(both, (await readFile(file('key'), 'utf8')) + (await readFile(file('cert'), 'utf8')))
    return both
  }
  const serverFile = await issue('server', 'subjectAltName=IP:127.0.0.1,DNS:localhost\n')
  const clientFile = await issue('client', 'extendedKeyUsage=clientAuth\n')
  const caFile = file('ca.pem')
  const [ca, client] = await Promise.all([readFile(caFile, 'utf8'), readFile(clientFile, 'utf8')])
  return { caFile, serverFile, clientFile, ca, client }
}

export const testUser = { username: 'alice', password: 'wonder,land=1 ü' } as const

export interface SecureBroker extends TestBroker, TestCertificates {
  /** host:port of the listener with this protocol. */
  on(protocol: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'): string
  readonly usersFile: string
}

/** A broker with a listener for each security protocol, and {@link testUser}. */
export async function secureBroker(config: Partial<BrokerConfig> = {}): Promise<SecureBroker> {
  const folder = await temporaryFolder()
  const certificates = await makeCertificates(folder)
  const usersFile = join(folder, 'users')
  await writeFile(usersFile, (await credentialLines(testUser.username, testUser.password)).join('\n'))
  const broker = await testBroker({
    config: {
      'log.listeners': ['SSL://127.0.0.1:0', 'SASL_PLAINTEXT://127.0.0.1:0', 'SASL_SSL://127.0.0.1:0'],
      'sasl.users.file': usersFile,
      'ssl.keystore.location': certificates.serverFile,
      ...config,
    },
  })
  return {
    ...broker,
    ...certificates,
    usersFile,
    on: (protocol) => broker.listeners.find((each) => each.startsWith(`${protocol}://`))!.replace(/^\w+:\/\//, ''),
    close: async () => {
      await broker.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
