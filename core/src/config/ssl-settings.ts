/** The `ssl.*` settings that both ends of a connection have, and what they stand for: Kafka's names of its PEM support (KIP-651). */
import { readFile } from 'node:fs/promises'
import { defineConfig, type ConfigOf } from '@tidewire/sdk'

const versions = ['TLSv1.2', 'TLSv1.3'] as const

export const sslSettings = defineConfig({
  'ssl.keystore.type': {
    type: 'string',
    default: 'PEM',
    enum: ['PEM'],
    importance: 'low',
    doc: 'The form of certificates and keys. Kafka: JKS by default; here PEM alone.',
  },
  'ssl.keystore.location': {
    type: 'string',
    doc: 'PEM file with the own private key and certificate chain. For a client: only where the other side asks for a certificate.',
  },
  'ssl.keystore.key': { type: 'password', doc: 'The private key itself, PEM, in place of ssl.keystore.location.' },
  'ssl.keystore.certificate.chain': {
    type: 'string',
    doc: 'The certificate chain itself, PEM, in place of ssl.keystore.location.',
  },
  'ssl.key.password': { type: 'password', doc: 'Password of the private key, where it is encrypted.' },
  'ssl.truststore.type': {
    type: 'string',
    default: 'PEM',
    enum: ['PEM'],
    importance: 'low',
    doc: 'As ssl.keystore.type.',
  },
  'ssl.truststore.location': {
    type: 'string',
    doc: 'PEM file with the certificates of the authorities that are trusted.',
  },
  'ssl.truststore.certificates': {
    type: 'string',
    doc: 'Those certificates themselves, PEM, in place of ssl.truststore.location.',
  },
  'ssl.enabled.protocols': {
    type: 'list',
    default: ['TLSv1.2', 'TLSv1.3'],
    enum: versions,
    doc: 'Versions of TLS that are spoken.',
  },
})

type SslConfig = ConfigOf<typeof sslSettings>

export interface SslMaterial {
  readonly key?: string
  readonly certificate?: string
  readonly passphrase?: string
  readonly ca?: string
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3'
}

/**
 * Reads what the settings name.
 * @throws Error that names the setting and the file
 */
export async function loadSsl(config: SslConfig): Promise<SslMaterial> {
  const keystore = await fileOf(config, 'ssl.keystore.location')
  const truststore = await fileOf(config, 'ssl.truststore.location')
  const key = config['ssl.keystore.key'] ?? keystore
  const certificate = config['ssl.keystore.certificate.chain'] ?? keystore
  const ca = config['ssl.truststore.certificates'] ?? truststore
  const passphrase = config['ssl.key.password']
  requirePem('ssl.keystore', 'a private key', key, /-----BEGIN [A-Z ]*PRIVATE KEY-----/)
  requirePem('ssl.keystore', 'a certificate', certificate, /-----BEGIN CERTIFICATE-----/)
  requirePem('ssl.truststore', 'a certificate', ca, /-----BEGIN CERTIFICATE-----/)
  const enabled = config['ssl.enabled.protocols']
  return {
    ...(key === undefined ? {} : { key }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(ca === undefined ? {} : { ca }),
    minVersion: enabled.includes('TLSv1.2') ? 'TLSv1.2' : 'TLSv1.3',
    maxVersion: enabled.includes('TLSv1.3') || enabled.length === 0 ? 'TLSv1.3' : 'TLSv1.2',
  }
}

async function fileOf(
  config: SslConfig,
  setting: 'ssl.keystore.location' | 'ssl.truststore.location',
): Promise<string | undefined> {
  const path = config[setting]
  if (path === undefined || path === '') return undefined
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
    throw new Error(`${setting}: ${path} cannot be read: ${code}`, { cause: error })
  }
}

function requirePem(settings: string, what: string, text: string | undefined, pattern: RegExp): void {
  if (text !== undefined && !pattern.test(text))
    throw new Error(`${settings}.*: there is no ${what} in PEM form`.replace('no a ', 'no '))
}
