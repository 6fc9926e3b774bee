import type { Logger } from '../logging/logger.ts'
import type { LogManager } from '../log/log-manager.ts'
import type { AnswerMemory } from './answer-memory.ts'
import type { Clock } from './clock.ts'
import type { BrokerConfig } from './config.ts'
import type { DynamicSettings } from './dynamic-settings.ts'
import type { GroupCoordinator } from './group-coordinator.ts'
import type { GroupSettings } from './group-settings.ts'
import type { ProducerIds } from './producer-ids.ts'
import type { Credentials } from './sasl/credentials.ts'
import type { TopicCatalog } from './topic-catalog.ts'
import type { TransactionCoordinator } from './transaction-coordinator.ts'

/** All that handlers work with. */
export interface BrokerServices {
  /** What is in force: some of it changes while the broker runs, so read a setting when it is needed. */
  readonly config: BrokerConfig
  readonly settings: DynamicSettings
  readonly groupSettings: GroupSettings
  readonly logger: Logger
  readonly clock: Clock
  readonly log: LogManager
  readonly topics: TopicCatalog
  readonly groups: GroupCoordinator
  readonly transactions: TransactionCoordinator
  readonly producerIds: ProducerIds
  readonly answers: AnswerMemory
  /** Who may log in. */
  readonly credentials: Credentials
  readonly dataDir: string
}

/** The only broker there is. */
export const nodeId = 1
