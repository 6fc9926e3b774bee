/** What an errand has of the task that it stands in for: plugin, settings, converters, clients. */
import type { ConfigOf, Settings, Sink, Source } from '@tidewire/sdk'
import type { LogClient } from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import { loadConnector } from '../plugin/load.ts'
import { loadConverters } from './build-task.ts'
import { parseConnectorConfig, requireValid } from './connector-config.ts'
import { ErrorPolicy, type DeadLetters, type FailedRecord } from './error-policy.ts'
import type { RecordProblem } from './errand-messages.ts'
import type { HostSettings } from './host-messages.ts'
import type { OpenClient } from './log-clients.ts'
import type { RecordConverters } from './record-converters.ts'
import { openTaskClients, type TaskClients } from './task-clients.ts'
import type { TaskSpec } from './task-spec.ts'

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
  const [connector, converters] = await Promise.all([loadConnector(spec.plugin), loadConverters(spec)])
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

function problemOf({ stage, operation, error }: FailedRecord): RecordProblem {
  return {
    stage,
    operation,
    exception: error instanceof Error ? error.name : 'Error',
    message: messageOf(error),
  }
}
