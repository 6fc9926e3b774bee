import { Agent } from 'node:https'
import type { SslMaterial } from './ssl-settings.ts'

/** What one of us shows to another, and whom it trusts. */
export interface PeerTls extends SslMaterial {
  /** Whether a certificate must be for the host that is asked. */
  readonly verifyHost: boolean
}

/** Asks with that; without it, the authorities that Node brings along are trusted, and nothing is shown. */
export function peerAgent(tls: PeerTls | undefined, { keepAlive }: { readonly keepAlive: boolean }): Agent {
  if (tls === undefined) return new Agent({ keepAlive })
  const { ca, key, certificate, passphrase, minVersion, maxVersion, verifyHost } = tls
  return new Agent({
    keepAlive,
    ca,
    key,
    cert: certificate,
    passphrase,
    minVersion,
    maxVersion,
    ...(verifyHost ? {} : { checkServerIdentity: () => undefined }),
  })
}
