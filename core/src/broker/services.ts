import type { Logger } from '../logging/logger.ts'
import type { LogManager } from '../log/log-manager.ts'
import type { Clock } from './clock.ts'
import type { BrokerConfig } from './config.ts'
import type { GroupCoordinator } from './group-coordinator.ts'
import type { ProducerIds } from './producer-ids.ts'
import type { TopicCatalog } from './topic-catalog.ts'
import type { TransactionCoordinator } from './transaction-coordinator.ts'

/** All that handlers work with. */
export interface BrokerServices {
  readonly config: BrokerConfig
  readonly logger: Logger
  readonly clock: Clock
  readonly log: LogManager
  readonly topics: TopicCatalog
  readonly groups: GroupCoordinator
  readonly transactions: TransactionCoordinator
  readonly producerIds: ProducerIds
  readonly dataDir: string
}

/** The only broker there is. */
export const nodeId = 1
