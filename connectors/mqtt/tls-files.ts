import { readFile } from 'node:fs/promises'
import { ConfigError } from '@tidewire/sdk'

interface TlsSettings {
  readonly 'mqtt.ssl.ca.path': string | undefined
  readonly 'mqtt.ssl.certificate.path': string | undefined
  readonly 'mqtt.ssl.key.path': string | undefined
  readonly 'mqtt.ssl.key.password': string | undefined
}

/** What node:tls wants, read from the PEM files that the settings name. */
export interface TlsMaterial {
  ca?: Buffer
  cert?: Buffer
  key?: Buffer
  passphrase?: string
}

/** @throws ConfigError naming the setting whose file cannot be read */
export async function readTlsFiles(config: TlsSettings): Promise<TlsMaterial> {
  const material: TlsMaterial = {}
  const ca = await readPem('mqtt.ssl.ca.path', config['mqtt.ssl.ca.path'])
  const cert = await readPem('mqtt.ssl.certificate.path', config['mqtt.ssl.certificate.path'])
  const key = await readPem('mqtt.ssl.key.path', config['mqtt.ssl.key.path'])
  if (ca !== undefined) material.ca = ca
  if (cert !== undefined) material.cert = cert
  if (key !== undefined) material.key = key
  if (config['mqtt.ssl.key.password'] !== undefined) material.passphrase = config['mqtt.ssl.key.password']
  return material
}

async function readPem(setting: string, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined
  let content: Buffer
  try {
    content = await readFile(path)
  } catch (cause) {
    throw new ConfigError(`${setting}: ${(cause as Error).message}`, { setting, cause })
  }
  if (!content.includes('-----BEGIN ')) {
    throw new ConfigError(`${setting}: ${path} is not a PEM file`, { setting })
  }
  return content
}
