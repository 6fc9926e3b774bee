import { readFile } from 'node:fs/promises'
import type { ConnectionOptions } from 'node:tls'
import { ConfigError } from '@tidewire/sdk'
import { codes } from './errors.ts'
import type { LinkConfig } from './settings.ts'

const prefix = 'elastic.https.ssl.'

/** @throws ConfigError that names the setting whose file cannot be used */
export async function tlsOptions(config: LinkConfig): Promise<ConnectionOptions> {
  const enabled = config[`${prefix}enabled.protocols`]
  const options: ConnectionOptions = {
    minVersion: enabled.includes('TLSv1.2') ? 'TLSv1.2' : 'TLSv1.3',
    maxVersion: enabled.includes('TLSv1.3') || enabled.length === 0 ? 'TLSv1.3' : 'TLSv1.2',
  }
  if (config[`${prefix}endpoint.identification.algorithm`] === '') options.checkServerIdentity = () => undefined
  const ca = config[`${prefix}truststore.certificates`] ?? (await fileOf(config, 'truststore.location'))
  if (ca !== undefined) options.ca = pem(ca, 'truststore.location', 'CERTIFICATE')
  const keystore = await fileOf(config, 'keystore.location')
  const keyPassword = config[`${prefix}key.password`]
  if (keystore !== undefined && config[`${prefix}keystore.type`] === 'PKCS12') {
    options.pfx = keystore
    const password = config[`${prefix}keystore.password`] ?? keyPassword
    if (password !== undefined) options.passphrase = password
    return options
  }
  const key = config[`${prefix}keystore.key`] ?? keystore
  const certificate = config[`${prefix}keystore.certificate.chain`] ?? keystore
  if (key !== undefined) options.key = pem(key, 'keystore.location', 'PRIVATE KEY')
  if (certificate !== undefined) options.cert = pem(certificate, 'keystore.location', 'CERTIFICATE')
  if (keyPassword !== undefined) options.passphrase = keyPassword
  return options
}

async function fileOf(
  config: LinkConfig,
  name: 'truststore.location' | 'keystore.location',
): Promise<Buffer | undefined> {
  const path = config[`${prefix}${name}`]
  if (path === undefined || path === '') return undefined
  try {
    return await readFile(path)
  } catch (cause) {
    const setting = prefix + name
    throw new ConfigError(`${setting}: ${(cause as Error).message}`, { code: codes.tls, setting, cause })
  }
}

function pem(content: Buffer | string, name: string, what: 'CERTIFICATE' | 'PRIVATE KEY'): Buffer | string {
  if (content.includes('-----BEGIN ') && content.includes(`${what}-----`)) return content
  const setting = prefix + name
  throw new ConfigError(`${setting}: there is no ${what.toLowerCase()} in PEM form`, { code: codes.tls, setting })
}
