/** What an errand has of the task that it stands in for: plugin, settings, converters, clients. */
import type { ConfigOf, Settings, Sink, Source } from '@tidewire/sdk'
import type { LogClient } from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import { loadConnector } from '../plugin/load.ts'
import { loadConverters } from './build-task.ts'
import { budgetOfItsOwn } from './byte-budget.ts'
import { parseConnectorConfig, requireValid } from './connector-config.ts'
import { ErrorPolicy, type DeadLetters, type FailedRecord } from './error-policy.ts'
import type { RecordProblem } from './errand-messages.ts'
import type { HostSettings } from './host-messages.ts'
import type { OpenClient } from './log-clients.ts'
import type { RecordConverters } from './record-converters.ts'
import { taskChain } from './task-chain.ts'
import { openTaskClients, type TaskClients } from './task-clients.ts'
import type { TaskSpec } from './task-spec.ts'
import { loadTransforms, type TransformChain } from './transform-chain.ts'

export interface ErrandSurroundings {
  readonly settings: HostSettings
  readonly logger: Logger
  readonly openClient: OpenClient
  /** Aborted when the time is over or nobody waits any more. */
  readonly signal: AbortSignal
}

export interface ErrandTask {
  readonly connector: Source | Sink
  readonly config: ConfigOf<Settings>
  readonly converters: RecordConverters
  readonly clients: TaskClients
  /** The worker's own client. */
  readonly client: LogClient
  /** Closes the clients. */
  close(): Promise<void>
}

/**
 * @param limited what is to be used of a client: nothing that writes, for one
 * @throws ConfigError where the task could not run as it is configured
 */
export async function openErrandTask(
  spec: TaskSpec,
  around: ErrandSurroundings,
  limited: (client: LogClient) => LogClient = (client) => client,
): Promise<ErrandTask> {
  const [connector, converters] = await Promise.all([loadConnector(spec.plugin), loadConverters(spec, around.signal)])
  const { config, problems } = parseConnectorConfig(connector, spec.config)
  requireValid(problems)
  const opened: LogClient[] = []
  const open: OpenClient = (own) => {
    const client = limited(around.openClient(own))
    opened.push(client)
    return client
  }
  const client = open(around.settings.security)
  const clients = await openTaskClients(spec, around.settings.clients, client, open)
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((each) => each.close()))
  }
  return { connector, config, converters, clients, client, close }
}

/**
 * The transforms as a task of it would have them, apart from those of its tasks; undefined where there are none. To be
 * closed.
 * @throws what a transform throws that cannot be made
 */
export async function openErrandChain(
  spec: TaskSpec,
  { clients }: ErrandTask,
  { logger, signal }: ErrandSurroundings,
  policy: ErrorPolicy,
): Promise<TransformChain | undefined> {
  const onFailure = (error: unknown): void => logger.warn('a transform goes on without', { error: messageOf(error) })
  const transforms = await loadTransforms(spec.transforms)
  const chain = taskChain({ spec, transforms, policy, clients, budget: budgetOfItsOwn(), logger, signal, onFailure })
  try {
    await chain?.open()
  } catch (error) {
    await chain?.close()
    throw error
  }
  return chain
}

/** An error policy that lets every record go and notes why, for whoever asks next. */
export class NotedErrors implements DeadLetters {
  readonly policy: ErrorPolicy
  #failed: FailedRecord[] = []

  constructor(
    config: { readonly 'errors.retry.timeout': number; readonly 'errors.retry.delay.max.ms': number },
    logger: Logger,
  ) {
    this.policy = new ErrorPolicy({
      tolerance: 'all',
      passesBlameless: true,
      retryTimeoutMs: config['errors.retry.timeout'],
      retryDelayMaxMs: config['errors.retry.delay.max.ms'],
      log: false,
      logMessages: false,
      deadLetters: this,
      logger,
    })
  }

  async send(failed: FailedRecord): Promise<void> {
    this.#failed.push(failed)
    return Promise.resolve()
  }

  /** What was noted since the last call. */
  take(): RecordProblem[] {
    const failed = this.#failed
    this.#failed = []
    return failed.map(problemOf)
  }

  async close(): Promise<void> {
    return Promise.resolve()
  }
}

/** What a transform threw over a record. */
export function transformProblem(chain: TransformChain, error: unknown): RecordProblem {
  return problemOf({ stage: 'TRANSFORMATION', operation: chain.operation, error })
}

function problemOf({ stage, operation, error }: Pick<FailedRecord, 'stage' | 'operation' | 'error'>): RecordProblem {
  return {
    stage,
    operation,
    exception: error instanceof Error ? error.name : 'Error',
    message: messageOf(error),
  }
}
