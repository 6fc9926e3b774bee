/** Puts a task together from its spec: plugin, settings, converters, transforms, error policy, run loop. */
import {
  ConfigError,
  ConnectError,
  type Converter,
  type ConverterDefinition,
  type Sink,
  type Source,
  type TaskProgress,
} from '@tidewire/sdk'
import type { LogClient } from '../client/client.ts'
import {
  sinkSettings,
  sourceSettings,
  type SinkConnectorConfig,
  type SourceConnectorConfig,
} from '../config/connector-settings.ts'
import type { ConfigProviders } from '../config/config-providers.ts'
import type { Secrets } from '../config/secrets.ts'
import { compileSettings } from '../config/settings.ts'
import { parseTopicCreation } from '../config/topic-creation.ts'
import type { Logger } from '../logging/logger.ts'
import { loadConnector, loadConverter } from '../plugin/load.ts'
import type { ActiveTopics } from './active-topics.ts'
import { AtLeastOnceCommit } from './at-least-once-commit.ts'
import type { ByteBudget, ByteShare } from './byte-budget.ts'
import { parseConnectorConfig, requireValid } from './connector-config.ts'
import { ConnectorOffsetStore } from './connector-offset-store.ts'
import { DeadLetterQueue } from './dead-letter-queue.ts'
import { DeliveryTracker } from './delivery.ts'
import { ErrorPolicy } from './error-policy.ts'
import { ExactlyOnceCommit, type TransactionBoundary } from './exactly-once-commit.ts'
import { followFrom } from './follow-topic.ts'
import type { HostSettings } from './host-messages.ts'
import type { Lease } from './lease.ts'
import { ensureInternalTopics } from './internal-topics.ts'
import type { OpenClient } from './log-clients.ts'
import { OffsetStore, type SourceOffsets } from './offset-store.ts'
import type { RecordConverters } from './record-converters.ts'
import { noteSecrets, resolveTask, scrubbedLogger } from './resolve-task.ts'
import { SinkConversion } from './sink-conversion.ts'
import { SinkTaskRunner } from './sink-task-runner.ts'
import { SourceConversion } from './source-conversion.ts'
import { SourceTaskRunner, type Following } from './source-task-runner.ts'
import { illegalTopic, SourceTopics } from './source-topics.ts'
import { taskChain } from './task-chain.ts'
import { taskClient } from './task-client.ts'
import type { TaskActivity } from './task-activity.ts'
import { openTaskClients, type TaskClients } from './task-clients.ts'
import type { TaskRunner } from './task-runner.ts'
import type { ConverterSpec, TaskSpec } from './task-spec.ts'
import { loadTransforms, type LoadedTransform, type TransformChain } from './transform-chain.ts'
import { taskTransactionalId } from './transactional-ids.ts'

/** What the tasks of a thread share. */
export interface TaskSurroundings {
  readonly activity: TaskActivity
  readonly budget: ByteBudget
  readonly settings: HostSettings
  readonly client: LogClient
  readonly offsets: OffsetStore
  readonly logger: Logger
  readonly lease: Lease
  /** For a task whose connector is somebody else to the log, or reaches it in another way. */
  readonly openClient: OpenClient
  readonly activeTopics: ActiveTopics
  /** What the task tells of how it gets on. */
  readonly progress: (progress: TaskProgress) => void
  /** See task-client.ts. */
  readonly mayRun: () => Promise<boolean>
  readonly providers: ConfigProviders
  /** What must not be in any text of the task: noted as soon as it is known. */
  readonly secrets: Secrets
}

/** Only the framework's own settings are looked at here: the connector's are its own. */
const everyOther = { foreign: () => true }
export const parseSource = compileSettings(sourceSettings, everyOther)
export const parseSink = compileSettings(sinkSettings, everyOther)

/** @throws ConfigError where the task cannot run as it is configured */
export async function buildTask(given: TaskSpec, around: TaskSurroundings): Promise<TaskRunner> {
  const { providers, secrets } = around
  const spec = await resolveTask(given, providers, secrets)
  const connector = await loadConnector(spec.plugin)
  await noteSecrets(secrets, spec, connector.config)
  const abort = new AbortController()
  const [converters, transforms] = await Promise.all([
    loadConverters(spec, abort.signal),
    loadTransforms(spec.transforms),
  ])
  const { config, problems } = parseConnectorConfig(connector, spec.config)
  requireValid(problems)
  const logger = scrubbedLogger(around.logger.child({ connector: spec.connector, task: spec.task }), secrets)
  const leased = (client: LogClient): LogClient => taskClient(client, { ...around, signal: abort.signal })
  const { clients: workerSettings } = around.settings
  const open: OpenClient = (own) => leased(around.openClient(own))
  const client = leased(around.client)
  const clients = await openTaskClients(spec, workerSettings, client, open)
  const parts = { spec, around: { ...around, client, logger }, clients, config, converters, transforms, abort }
  return connector.type === 'source' ? buildSource(connector, parts) : buildSink(connector, parts)
}

interface Parts {
  readonly spec: TaskSpec
  readonly around: TaskSurroundings
  readonly clients: TaskClients
  readonly config: ReturnType<typeof parseConnectorConfig>['config']
  readonly converters: RecordConverters
  readonly transforms: readonly LoadedTransform[]
  /** Aborted to end the task. */
  readonly abort: AbortController
}

function buildSource(definition: Source, parts: Parts): TaskRunner {
  const { spec, around, clients, config, converters, abort } = parts
  const { settings, logger } = around
  const { config: framework, errors } = parseSource(spec.config)
  requireValid(errors)
  const exactlyOnce = isExactlyOnce(definition, framework, settings)
  const topics = sourceTopics(spec, framework, clients, settings, around.activeTopics)
  const policy = errorPolicy(spec, framework, clients, around)
  const chain = chainOf(parts, policy, (error) => runner.fail(error))
  const conversion = new SourceConversion(converters, policy, topics, abort.signal, chain)
  const tracker = new DeliveryTracker()
  const boundary = transactionBoundary(framework, settings)
  const maxBufferedBytes = framework['source.max.buffered.bytes']
  const share = around.budget.share(maxBufferedBytes)
  if (exactlyOnce) requireTransactional(clients)
  const producer = clients.producer.producer({
    // For ever: while the log is away, a task waits, and its source with it.
    deliveryTimeoutMs: 0,
    ...(boundary.kind === 'interval' ? { transactionTimeoutMs: boundary.intervalMs + transactionMarginMs } : {}),
    ...clients.producerOptions,
    ...(exactlyOnce ? { transactionalId: taskTransactionalId(settings.groupId, spec) } : {}),
  })
  const { offsets, close } = sourceOffsets(framework['offsets.storage.topic'], around, clients, logger)
  const runner: TaskRunner = new SourceTaskRunner({
    definition,
    connector: spec.connector,
    task: spec.task,
    config,
    offsets,
    tracker,
    conversion,
    chain,
    topics,
    policy,
    activity: around.activity,
    abort,
    maxBufferedBytes,
    share,
    logger,
    paused: spec.targetState === 'PAUSED',
    follow: followerOf(parts, share),
    progress: around.progress,
    close,
    makeCommit: (callbacks) => {
      const { activity } = around
      const context = { connector: spec.connector, activity, producer, offsets, tracker, conversion, ...callbacks }
      return exactlyOnce
        ? new ExactlyOnceCommit(context, { boundary, isFull: () => share.isFull })
        : new AtLeastOnceCommit(context, settings.flushIntervalMs)
    },
  })
  return runner
}

function followerOf(
  { clients, around: { settings, logger } }: Parts,
  share: ByteShare,
): (following: Following) => Promise<void> {
  const { consumer: client, consumerOptions, admin } = clients
  return async (following) => {
    const { topic } = following
    const problem = illegalTopic(topic, settings.internalTopics)
    if (problem !== undefined) throw new ConnectError(problem)
    return followFrom({
      ...following,
      client,
      clientId: consumerOptions.clientId,
      memory: share.holder(),
      logger,
      create: async () => {
        if (settings.createTopics) await admin.admin.createTopics([{ topic, partitions: 1, replicationFactor: -1 }])
      },
    })
  }
}

function chainOf(
  { spec, around, clients, transforms, abort }: Parts,
  policy: ErrorPolicy,
  onFailure: (error: unknown) => void,
): TransformChain | undefined {
  const { budget, logger } = around
  return taskChain({ spec, transforms, policy, clients, budget, logger, signal: abort.signal, onFailure })
}

/** @throws ConfigError for `topic.creation.*` that make no sense */
export function sourceTopics(
  spec: TaskSpec,
  framework: SourceConnectorConfig,
  clients: TaskClients,
  settings: HostSettings,
  active?: ActiveTopics,
): SourceTopics {
  const { creation, errors } = parseTopicCreation(spec.config)
  requireValid(errors)
  const ownOffsets = framework['offsets.storage.topic']
  return new SourceTopics({
    admin: clients.admin.admin,
    internalTopics: [...settings.internalTopics, ...(ownOffsets === undefined ? [] : [ownOffsets])],
    create: settings.createTopics,
    creation,
    active,
  })
}

/** The worker's offsets, or those in a topic of the connector's own, over the worker's. */
function sourceOffsets(
  topic: string | undefined,
  { offsets: workers, client, settings }: TaskSurroundings,
  clients: TaskClients,
  logger: Logger,
): { offsets: SourceOffsets; close: () => Promise<void> } {
  if (topic === undefined || topic === settings.offsetTopic) {
    return { offsets: workers, close: async () => Promise.resolve() }
  }
  const { admin } = clients.admin
  const own = new ConnectorOffsetStore({
    own: new OffsetStore({ client: clients.consumer, topic, logger }),
    workers,
    makeProducer: () => client.producer(),
    prepare: async () =>
      ensureInternalTopics(admin, [{ topic, ...settings.offsetTopicShape, setting: 'offsets.storage.topic' }]),
    logger,
  })
  return { offsets: own, close: async () => own.close() }
}

/** @throws ConfigError where exactly once is required, and cannot be had */
function isExactlyOnce(definition: Source, config: SourceConnectorConfig, settings: HostSettings): boolean {
  const capable = definition.exactlyOnce === true
  if (config['exactly.once.support'] === 'required' && !(capable && settings.exactlyOnce)) {
    const reason = capable
      ? 'the worker runs with exactly.once.source.support disabled'
      : `connector ${definition.name} cannot read its records again with the same result`
    throw new ConfigError(`exactly.once.support is required, but ${reason}`, { setting: 'exactly.once.support' })
  }
  if (!capable || !settings.exactlyOnce) return false
  if (config['transaction.boundary'] === 'connector' && definition.transactionBoundaries !== true) {
    throw new ConfigError(`transaction.boundary=connector: connector ${definition.name} defines no transactions`, {
      setting: 'transaction.boundary',
    })
  }
  return true
}

/** How much longer than its interval a transaction may take to be committed. */
const transactionMarginMs = 60_000

function transactionBoundary(config: SourceConnectorConfig, settings: HostSettings): TransactionBoundary {
  const kind = config['transaction.boundary']
  if (kind !== 'interval') return { kind }
  return { kind, intervalMs: config['transaction.boundary.interval.ms'] ?? settings.flushIntervalMs }
}

/** @throws ConfigError where the settings of the producer leave it no transactions */
function requireTransactional({ producerOptions: { acks, idempotent } }: TaskClients): void {
  const setting = acks === 'leader' ? 'acks' : idempotent === false ? 'enable.idempotence' : undefined
  if (setting === undefined) return
  const value = setting === 'acks' ? 'all' : 'true'
  throw new ConfigError(`producer.override.${setting}: exactly once needs ${setting}=${value}`, {
    setting: `producer.override.${setting}`,
  })
}

function buildSink(definition: Sink, parts: Parts): TaskRunner {
  const { spec, around, clients, config, converters, abort } = parts
  const { settings, logger } = around
  const { config: framework, errors } = parseSink(spec.config)
  requireValid(errors)
  const policy = errorPolicy(spec, framework, clients, around)
  const { topics } = framework
  const share = around.budget.share(framework['sink.max.buffered.bytes'])
  const chain = chainOf(parts, policy, (error) => runner.fail(error))
  const runner: TaskRunner = new SinkTaskRunner({
    definition,
    connector: spec.connector,
    task: spec.task,
    config,
    conversion: new SinkConversion(converters, policy, abort.signal, chain),
    chain,
    policy,
    activity: around.activity,
    abort,
    lease: around.lease,
    activeTopics: around.activeTopics,
    maxPutRecords: clients.maxPollRecords,
    share,
    flushIntervalMs: settings.flushIntervalMs,
    progress: around.progress,
    retryDelayMaxMs: framework['errors.retry.delay.max.ms'],
    logger,
    paused: spec.targetState === 'PAUSED',
    makeConsumer: (rebalance) =>
      clients.consumer.groupConsumer({
        groupId: `connect-${spec.connector}`,
        // A task that is started again after a crash has its partitions back at once, and an older copy is fenced.
        groupInstanceId: `task-${spec.task}`,
        leavesOnClose: true,
        ...(topics.length > 0 ? { topics } : { topicsPattern: new RegExp(`^(?:${framework['topics.regex']})$`) }),
        memory: share.holder(),
        ...clients.consumerOptions,
        ...rebalance,
      }),
  })
  return runner
}

function errorPolicy(
  spec: TaskSpec,
  config: SourceConnectorConfig | SinkConnectorConfig,
  clients: TaskClients,
  { logger, secrets }: TaskSurroundings,
): ErrorPolicy {
  const topic = config['errors.deadletterqueue.topic.name']
  const factor = config['errors.deadletterqueue.topic.replication.factor']
  return new ErrorPolicy({
    tolerance: config['errors.tolerance'],
    retryTimeoutMs: config['errors.retry.timeout'],
    retryDelayMaxMs: config['errors.retry.delay.max.ms'],
    log: config['errors.log.enable'],
    logMessages: config['errors.log.include.messages'],
    logger,
    deadLetters:
      topic === ''
        ? undefined
        : new DeadLetterQueue({
            client: { admin: clients.admin.admin, producer: (options) => clients.producer.producer(options) },
            producerOptions: clients.deadLetterOptions,
            topic,
            replicationFactor: factor,
            contextHeaders: config['errors.deadletterqueue.context.headers.enable'],
            connector: spec.connector,
            task: spec.task,
            scrub: (error) => secrets.scrubAll(error),
          }),
  })
}

/** @param signal aborted when the task is to end */
export async function loadConverters(spec: TaskSpec, signal: AbortSignal): Promise<RecordConverters> {
  const [key, value, header] = await Promise.all([
    loadConverter(spec.keyConverter.ref),
    loadConverter(spec.valueConverter.ref),
    loadConverter(spec.headerConverter.ref),
  ])
  return {
    key: { name: key.name, converter: makeConverter(key, spec.keyConverter, 'key', signal) },
    value: { name: value.name, converter: makeConverter(value, spec.valueConverter, 'value', signal) },
    header: { name: header.name, converter: makeConverter(header, spec.headerConverter, 'header', signal) },
  }
}

/** @throws ConfigError that names the settings with their prefix, as the user wrote them */
function makeConverter(
  definition: ConverterDefinition,
  { config: raw }: ConverterSpec,
  use: 'key' | 'value' | 'header',
  signal: AbortSignal,
): Converter {
  const { unsupported } = definition
  const options = unsupported === undefined ? {} : { unsupported }
  const { config, errors } = compileSettings(definition.config, options)(raw)
  requireValid(Object.fromEntries(Object.entries(errors).map(([name, texts]) => [`${use}.converter.${name}`, texts])))
  return definition.create(config, use, { signal })
}
