import { isIP, type OnReadOpts, type Socket } from 'node:net'
import { connect, type ConnectionOptions } from 'node:tls'
import type { TlsOptions } from './client.ts'

/** Opens a TLS connection; the socket emits `secureConnect` when the broker's certificate has been verified. */
export function connectTls(options: TlsOptions, address: { host: string; port: number }, onread: OnReadOpts): Socket {
  const { ca, certificate, key, passphrase, verifyHost = true, minVersion, maxVersion } = options
  const { host, port } = address
  const settings: ConnectionOptions & { onread: OnReadOpts } = {
    host,
    port,
    onread,
    // Server names are names (RFC 6066); the certificate's IP addresses are looked at all the same.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(verifyHost ? {} : { checkServerIdentity: () => undefined }),
    ...(minVersion === undefined ? {} : { minVersion }),
    ...(maxVersion === undefined ? {} : { maxVersion }),
  }
  return connect(settings)
}

/**
 * Whether it is the certificates or the protocol that failed, rather than the network: trying again leads to the same.
 */
export function isTlsFailure(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /^ERR_(TLS|SSL|OSSL)_|CERT|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|EPROTO/.test(code)
}

const PROBE_TIMEOUT_MS = 3_000

/** Whether somebody there answers a TLS handshake, be it with a refusal, whatever the certificate. Nothing is sent. */
export function speaksTls({ host, port }: { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, rejectUnauthorized: false, timeout: PROBE_TIMEOUT_MS })
    socket.once('secureConnect', () => {
      resolve(true)
      // In order, so that the broker has no failed handshake to tell of.
      socket.end()
    })
    socket.once('timeout', () => socket.destroy())
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(/^ERR_SSL_.*_ALERT_/.test(error.code ?? '')))
    socket.once('close', () => resolve(false))
    socket.resume()
  })
}
