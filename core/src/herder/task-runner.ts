/** What the herder needs of the task hosts (core/src/worker): the one border that connector code runs behind. */
import type { ConfigProblems } from '@tidewire/sdk'
import type { ChainKind } from '../config/transform-settings.ts'
import type { PluginRef } from '../plugin/manifest.ts'
import type { ErrandKind, Errands } from '../worker/errand-messages.ts'
import type { ErrandCalls } from '../worker/errand-runner.ts'
import type { WorkerTaskMetrics } from '../worker/task-metrics.ts'
import type { SignalPlace, TaskId, TaskSpec } from '../worker/task-spec.ts'

type Config = Readonly<Record<string, string>>

export interface TaskRunner {
  /** Resolves when a host has taken the task; how it fares is told as status, with the spec's generation. */
  startTask(spec: TaskSpec): Promise<void>
  stopTask(id: TaskId): Promise<void>
  pauseTask(id: TaskId): Promise<void>
  resumeTask(id: TaskId): Promise<void>
  /** Topics that it goes on using are told anew. */
  forgetTopics(id: TaskId): Promise<void>
  /** How the connector splits its work. @throws ConfigError with what is wrong, where `check` finds something */
  planTasks(ref: PluginRef, config: Config, maxTasks: number): Promise<Record<string, string>[]>
  check(ref: PluginRef, config: Config): Promise<ConfigProblems>
  /** As {@link check}, of a transform or a predicate and its own settings. */
  checkPart(kind: ChainKind, ref: PluginRef, config: Config): Promise<ConfigProblems>
  /** Where the connector reads signals from; undefined: with this config it takes none. @throws ConfigError */
  signalPlace(ref: PluginRef, config: Config): Promise<SignalPlace | undefined>
  /** Of all tasks whose threads answer at once. */
  metrics(): Promise<WorkerTaskMetrics[]>
  /** Does what is asked in a thread of its own, apart from tasks. @throws what it throws; ConnectError where it was cut off */
  runErrand<K extends ErrandKind>(
    kind: K,
    errand: Errands[K]['errand'],
    calls: ErrandCalls<K>,
  ): Promise<Errands[K]['end']>
  /** Stops all tasks at once, within the graceful timeout. */
  close(): Promise<void>
}
