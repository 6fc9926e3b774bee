import type { Logger } from '../logging/logger.ts'
import type { ByteBudget, ByteShare } from './byte-budget.ts'
import type { ErrorPolicy } from './error-policy.ts'
import { followTopic } from './follow-topic.ts'
import type { TaskClients } from './task-clients.ts'
import type { TaskSpec } from './task-spec.ts'
import { TransformChain, type LoadedTransform } from './transform-chain.ts'

export interface TaskChainOptions {
  readonly spec: TaskSpec
  readonly transforms: readonly LoadedTransform[]
  readonly policy: ErrorPolicy
  readonly clients: TaskClients
  /** Counts what the transforms hold. */
  readonly budget: ByteBudget
  readonly logger: Logger
  /** Aborted when the task is to end. */
  readonly signal: AbortSignal
  /** A topic that a transform follows cannot be read any more. */
  readonly onFailure: (error: unknown) => void
}

/** Most of what has been fetched of a topic that a transform follows, and has not been told it. */
const maxFollowBytes = 4 * 1024 * 1024

/** The transforms of a task, with what they may use there; undefined where it has none. */
export function taskChain(options: TaskChainOptions): TransformChain | undefined {
  const { spec, transforms, policy, clients, budget, signal, onFailure } = options
  if (transforms.length === 0) return undefined
  // Not out of what the task may have: a table of that size would leave it nothing.
  const held = budget.share(Number.MAX_SAFE_INTEGER)
  const shares: ByteShare[] = [held]
  return new TransformChain({
    transforms,
    policy,
    signal,
    logger: options.logger,
    contextOf: (alias) => {
      const logger = options.logger.child({ transform: alias })
      const holder = held.holder()
      return {
        connector: spec.connector,
        task: spec.task,
        type: spec.type,
        alias,
        log: logger,
        signal,
        holds: (bytes) => holder.holds(bytes),
        followTopic: async (topic, onRecord) => {
          const fetched = budget.share(maxFollowBytes)
          shares.push(fetched)
          const { consumer: client, consumerOptions } = clients
          const { clientId } = consumerOptions
          const memory = fetched.holder()
          return followTopic({ client, clientId, topic, onRecord, signal, memory, logger, onFailure })
        },
      }
    },
    release: () => {
      for (const share of shares) share.close()
    },
  })
}
