import { silentLogger } from '../logging/logger.ts'
import { LogAdmin } from './admin.ts'
import type {
  ClientOptions,
  GroupConsumer,
  GroupConsumerOptions,
  GroupMemberOptions,
  GroupMembership,
  LogClient,
  Producer,
  ProducerOptions,
  Reader,
  ReadOptions,
} from './client.ts'
import { Cluster } from './cluster.ts'
import type { Address } from './connection.ts'
import { LogGroupConsumer } from './group-consumer.ts'
import { GroupMember } from './group-member.ts'
import { LogProducer } from './producer.ts'
import { LogReader } from './reader.ts'

/**
 * `host:port`, `[v6 address]:port`, with a listener's name in front or not (`PLAINTEXT://host:port`).
 * @throws TypeError
 */
export function parseAddress(text: string): Address {
  const match = /^(?:\w+:\/\/)?(?:\[([^\]]+)\]|([^:/[\]]+)):(\d{1,5})$/.exec(text.trim())
  const port = Number(match?.[3])
  if (match === null || port > 65_535) throw new TypeError(`bootstrap.servers: ${text} is not host:port`)
  return { host: match[1] ?? match[2]!, port }
}

/**
 * A client of the log. Opens nothing until it is used.
 * @throws TypeError where the options make no sense
 */
export function createClient(options: ClientOptions): LogClient {
  const { bootstrapServers, clientId, requestTimeoutMs = 30_000, logger = silentLogger } = options
  if (bootstrapServers.length === 0) throw new TypeError('bootstrap.servers is empty')
  const bootstrap = bootstrapServers.map(parseAddress)
  const { tls, sasl } = options
  const cluster = new Cluster({
    bootstrap,
    clientId,
    requestTimeoutMs,
    logger,
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
  })
  return {
    producer: (producerOptions: ProducerOptions = {}): Producer => new LogProducer(cluster, producerOptions),
    reader: (readOptions: ReadOptions = {}): Reader => new LogReader(cluster, readOptions),
    groupConsumer: (groupOptions: GroupConsumerOptions): GroupConsumer => new LogGroupConsumer(cluster, groupOptions),
    groupMember: (memberOptions: GroupMemberOptions): GroupMembership => new GroupMember(cluster, memberOptions),
    admin: new LogAdmin(cluster),
    close: () => cluster.close(),
  }
}
