/** How a thread makes its clients of the log. */
import type { ClientOptions, ClientSecurity, LogClient } from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import type { HostSettings } from './host-messages.ts'

/** In what a client differs from others of the worker. */
export type OwnClient = ClientSecurity & Partial<Pick<ClientOptions, 'clientId' | 'requestTimeoutMs'>>

/** Makes a client with the worker's addresses; how it is secured is for the caller to say. */
export type OpenClient = (own: OwnClient) => LogClient

export async function logClients(
  { clientModule, bootstrapServers, workerId, requestTimeoutMs }: HostSettings,
  logger: Logger,
): Promise<OpenClient> {
  const { createClient } = (await import(clientModule)) as { createClient: (options: ClientOptions) => LogClient }
  const clientId = `connect-${workerId}`
  return (own) => createClient({ bootstrapServers, clientId, requestTimeoutMs, logger, ...own })
}
