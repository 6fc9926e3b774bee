import { createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type ConnectionOptions } from 'node:tls'
import { ConfigError } from '@tidewire/sdk'
import type { Ssl } from './connection-settings.ts'
import { codes } from './errors.ts'

/**
 * With what TLS to try, in this order; false: without. One is tried after the other as libpq does, see
 * {@link connect}.
 * @throws ConfigError where a file cannot be read
 */
export async function sslAttempts(ssl: Ssl): Promise<readonly (ConnectionOptions | false)[]> {
  if (ssl.mode === 'disable') return [false]
  const options = await tlsOptions(ssl)
  if (ssl.mode === 'allow') return [false, options]
  return ssl.mode === 'prefer' ? [options, false] : [options]
}

async function tlsOptions(ssl: Ssl): Promise<ConnectionOptions> {
  const options: ConnectionOptions = { rejectUnauthorized: ssl.mode === 'verify-ca' || ssl.mode === 'verify-full' }
  if (ssl.mode === 'verify-ca') options.checkServerIdentity = () => undefined
  if (ssl.rootCertFile !== undefined) options.ca = await read('sslrootcert', ssl.rootCertFile)
  if (ssl.certFile !== undefined) options.cert = await read('sslcert', ssl.certFile)
  if (ssl.keyFile !== undefined) {
    addKey(options, ssl.keyFile, await read('sslkey', ssl.keyFile), ssl.keyPassword)
    requireOpened(options, ssl.keyFile)
  }
  return options
}

/** Here it can be told what is at fault; in the handshake it would be an error of the library. */
function requireOpened(options: ConnectionOptions, file: string): void {
  try {
    createSecureContext(options)
  } catch (cause) {
    throw new ConfigError(
      `sslkey: ${file} cannot be used: sslpassword does not open it, or it is not the key of sslcert: ${(cause as Error).message}`,
      { code: codes.tls, cause },
    )
  }
}

function addKey(options: ConnectionOptions, file: string, content: Buffer, password: string | undefined): void {
  if (password !== undefined) options.passphrase = password
  if (/\.(p12|pfx)$/i.test(file)) {
    options.pfx = content
    return
  }
  if (content.includes('-----BEGIN ')) {
    options.key = content
    return
  }
  try {
    const key = createPrivateKey({ key: content, format: 'der', type: 'pkcs8', passphrase: password })
    options.key = key.export({ format: 'pem', type: 'pkcs8' })
  } catch (cause) {
    throw new ConfigError(
      `sslkey: ${file} is no private key in PEM or PKCS#8, or sslpassword does not open it: ${(cause as Error).message}`,
      { code: codes.tls, cause },
    )
  }
}

async function read(setting: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    throw new ConfigError(`${setting}: ${(cause as Error).message}`, { code: codes.tls, cause })
  }
}
