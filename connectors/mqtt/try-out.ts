import { randomUUID } from 'node:crypto'
import { ConfigError, type ConfigProblems, type Logger } from '@tidewire/sdk'
import { BrokerLink, ConnectRefusedError, hungUp, LinkClosedError } from './broker-link.ts'
import { permanentError } from './broker-subscriber.ts'
import { describeCode, reasons, type ProtocolVersion } from './packet.ts'
import { parseBrokerUri, subscriptionFilters, type BrokerAddress, type SourceConfig } from './source-config.ts'
import { readTlsFiles, type TlsMaterial } from './tls-files.ts'

interface Context {
  readonly signal: AbortSignal
  readonly log: Logger
}

/**
 * Whether a broker can be reached, takes the login, and lets it subscribe. By a session of its own, which ends with the
 * connection, so that the task's own is not disturbed and nothing is left behind.
 */
export async function tryBroker(config: SourceConfig, context: Context): Promise<ConfigProblems> {
  const tls = await readTlsFiles(config)
  const problems: [setting: string, text: string][] = []
  for (const uri of config['mqtt.server.uri']) {
    const address = parseBrokerUri(uri)
    try {
      await tryOne(config, address, tls, context)
      // One is enough: they are tried in turn.
      return {}
    } catch (error) {
      const known = permanentError(error, address)
      const setting = known instanceof ConfigError ? known.setting : undefined
      const reason = known?.message ?? `${address.host}:${address.port} cannot be reached: ${(error as Error).message}`
      problems.push([setting ?? 'mqtt.server.uri', reason])
    }
  }
  const bySetting = Map.groupBy(problems, ([setting]) => setting)
  return Object.fromEntries([...bySetting].map(([setting, all]) => [setting, all.map(([, text]) => text)]))
}

async function tryOne(config: SourceConfig, address: BrokerAddress, tls: TlsMaterial, context: Context): Promise<void> {
  const versions: readonly ProtocolVersion[] =
    config['mqtt.version'] === 'auto' ? [5, 4] : [config['mqtt.version'] === '5' ? 5 : 4]
  for (const [index, version] of versions.entries()) {
    try {
      await tryVersion(config, address, tls, version, context)
      return
    } catch (error) {
      const isLast = index === versions.length - 1
      if (isLast || context.signal.aborted || !isOfVersion(error)) throw error
    }
  }
}

async function tryVersion(
  config: SourceConfig,
  address: BrokerAddress,
  tls: TlsMaterial,
  version: ProtocolVersion,
  { signal, log }: Context,
): Promise<void> {
  const username = config['mqtt.username'] === '' ? undefined : config['mqtt.username']
  const password = (config['mqtt.password'] ?? '') === '' ? undefined : Buffer.from(config['mqtt.password']!)
  const { link } = await BrokerLink.open(
    {
      address,
      tls,
      version,
      connect: {
        cleanStart: true,
        keepAliveSeconds: config['mqtt.keepalive.interval.seconds'],
        clientId: `${config['mqtt.client.id.prefix']}-try-${randomUUID()}`,
        username,
        password,
        properties: { sessionExpiry: 0 },
      },
      connectTimeoutMs: config['mqtt.connect.timeout.seconds'] * 1000,
      maxPacketSize: config['mqtt.max.packet.size'],
      onConnected: () => undefined,
      onPublish: () => undefined,
      onRelease: () => undefined,
    },
    signal,
  )
  try {
    const filters = subscriptionFilters(config)
    // With QoS 0 nothing has to be acknowledged; 2: no retained messages.
    const codes = await link.subscribe(
      filters.map((filter) => ({ filter, qos: 0, retainAsPublished: true, retainHandling: 2 })),
    )
    const refused = filters.findIndex((_, index) => (codes[index] ?? reasons.unspecified) >= 0x80)
    if (refused >= 0) {
      const why = describeCode(codes[refused] ?? reasons.unspecified)
      throw new ConfigError(`the broker refused the subscription to '${filters[refused]}': ${why}`, {
        setting: 'mqtt.topics',
      })
    }
    log.info('the broker takes login and subscriptions', { broker: `${address.host}:${address.port}` })
  } finally {
    await link.close()
  }
}

/** The broker may know another version of the protocol. */
function isOfVersion(error: unknown): boolean {
  if (error instanceof ConnectRefusedError) return error.code === reasons.unsupportedProtocolVersion || error.code === 1
  return error instanceof LinkClosedError && error.message === hungUp
}
