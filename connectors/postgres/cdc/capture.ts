import { randomUUID } from 'node:crypto'
import { ConfigError, type SourceTaskContext } from '@tidewire/sdk'
import type pg from 'pg'
import { connect, disconnect } from '../link/connect.ts'
import { addressOf, type Address } from '../link/connection-settings.ts'
import { TypeCatalog } from '../types/type-catalog.ts'
import type { TypeOptions } from '../types/column-reader.ts'
import { namedOf, type CdcConfig } from './config.ts'
import { EventTables } from './events/event-tables.ts'
import { EventWriter } from './events/event-writer.ts'
import { NamePatterns } from './events/name-patterns.ts'
import { namingStrategies, TopicNames, type NamingStrategy } from './events/topic-names.ts'
import { checkServer, lookAtServer, type Server } from './replication/server.ts'
import { lookAtLog, type ServerLog } from './replication/server-log.ts'
import { version } from './version.ts'

/** What a task works with, from its start to its end. */
export interface Capture extends AsyncDisposable {
  readonly context: SourceTaskContext<CdcConfig>
  readonly config: CdcConfig
  readonly address: Address
  /** For look-ups; outside of any transaction. */
  readonly client: pg.Client
  readonly server: Server
  /** Undefined of a preview, which stores no position. */
  readonly log: ServerLog | undefined
  readonly tables: EventTables
  readonly events: EventWriter
  readonly messages: MessageFilter
  /** Whether the server is told what is safe. */
  readonly confirms: boolean
  /** Whether it is told so too of positions that nothing was captured at. */
  readonly confirmsIdle: boolean
}

/** Which logical messages are captured. */
export interface MessageFilter {
  captures(prefix: string): boolean
}

/**
 * Connects, and looks at server and types.
 * @throws ConnectError
 */
export async function openCapture(context: SourceTaskContext<CdcConfig>): Promise<Capture> {
  const { config, signal, log } = context
  const address = addressOf(config, `tidewire ${context.connector}`)
  const client = await connect(address, { signal })
  try {
    const server = await lookAtServer(client)
    // A preview has no slot, so the server needs nothing for one.
    if (!context.preview) checkServer(server)
    const serverLog = context.preview ? undefined : await lookAtLog(address, server.inRecovery, signal)
    const topics = topicNames(config)
    const tables = new EventTables({
      client,
      catalog: await TypeCatalog.load(client),
      config,
      named: namedOf(config),
      types: typeOptions(config),
      topics,
      log,
    })
    const events = new EventWriter({
      config,
      database: config['database.dbname'],
      binary: config['binary.handling.mode'],
      topics,
      version,
      task: context.task,
      runId: randomUUID(),
    })
    const mode = config['flush.lsn.source'] ? config['lsn.flush.mode'] : 'manual'
    return {
      context,
      config,
      address,
      client,
      server,
      log: serverLog,
      tables,
      events,
      messages: messageFilter(config),
      confirms: mode !== 'manual',
      confirmsIdle: mode === 'connector_and_driver',
      [Symbol.asyncDispose]: () => disconnect(client),
    }
  } catch (error) {
    await disconnect(client)
    throw error
  }
}

function topicNames(config: CdcConfig): TopicNames {
  const strategy = config['topic.naming.strategy'].split('.').at(-1)!
  if (!Object.hasOwn(namingStrategies, strategy)) {
    throw new ConfigError(`topic.naming.strategy ${strategy} is not known`, { setting: 'topic.naming.strategy' })
  }
  return new TopicNames({
    prefix: config['topic.prefix'],
    delimiter: config['topic.delimiter'],
    strategy: strategy as NamingStrategy,
    transaction: config['topic.transaction'],
    heartbeatPrefix: config['topic.heartbeat.prefix'],
    heartbeatName: config['topic.heartbeat.name'],
  })
}

function typeOptions(config: CdcConfig): Omit<TypeOptions, 'adjustName'> {
  return {
    decimal: config['decimal.handling.mode'],
    time: config['time.precision.mode'],
    interval: config['interval.handling.mode'],
    hstore: config['hstore.handling.mode'],
    binary: config['binary.handling.mode'],
    moneyFractionDigits: config['money.fraction.digits'],
    unavailable: config['unavailable.value.placeholder'],
    includeUnknown: config['include.unknown.datatypes'],
  }
}

function messageFilter(config: CdcConfig): MessageFilter {
  const include = config['message.prefix.include.list']
  const exclude = config['message.prefix.exclude.list']
  const patterns = new NamePatterns(include ?? exclude ?? '')
  if (include !== undefined) return { captures: (prefix) => patterns.covers(prefix) }
  return { captures: (prefix) => exclude === undefined || !patterns.covers(prefix) }
}
