/** What the main thread and a host thread say to each other. Plain data only. */
import type { ClientSecurity } from '../client/client.ts'
import type { ProviderSpec } from '../config/config-providers.ts'
import type { ChainKind } from '../config/transform-settings.ts'
import type { PluginRef } from '../plugin/manifest.ts'
import type { WorkerClientSettings } from './task-clients.ts'
import type { InternalTopic } from './internal-topics.ts'
import type { TaskMetrics } from './task-metrics.ts'
import type { ShownProgress } from './task-progress.ts'
import type { SignalPlace, TaskId, TaskSpec } from './task-spec.ts'
import type { LoggedLine } from './thread-logger.ts'

/** What a host thread is told at birth. */
export interface HostSettings {
  readonly bootstrapServers: readonly string[]
  readonly requestTimeoutMs: number
  /** Of the connections to the log. */
  readonly security: ClientSecurity
  /** What else there is to know of connections, and of the clients of tasks. */
  readonly clients: WorkerClientSettings
  readonly configProviders: readonly ProviderSpec[]
  readonly workerId: string
  /** `group.id`. */
  readonly groupId: string
  readonly offsetTopic: string
  /** How an offsets topic of a connector's own is made. */
  readonly offsetTopicShape: Pick<InternalTopic, 'partitions' | 'replicationFactor'>
  readonly internalTopics: readonly string[]
  readonly flushIntervalMs: number
  /** `exactly.once.source.support=enabled`. */
  readonly exactlyOnce: boolean
  /** `task.stalled.after.ms`. */
  readonly stalledAfterMs: number
  readonly createTopics: boolean
  /** `topic.tracking.enable`. */
  readonly trackTopics: boolean
  /** How often the thread says that it is alive. */
  readonly heartbeatMs: number
  /** Of the whole worker; see byte-budget.ts. */
  readonly budget: SharedArrayBuffer
  /** See lease.ts. */
  readonly lease: SharedArrayBuffer
  /** URL of a module that exports `createClient`; tests give one whose log is in memory. */
  readonly clientModule: string
}

/** What a host thread is told at birth that no other is. */
export interface HostBirth extends HostSettings {
  /** See turns.ts. */
  readonly turns: SharedArrayBuffer
  /** See byte-budget.ts. */
  readonly loans: SharedArrayBuffer
}

/** What a thread tells of itself with each heartbeat. */
export interface ThreadHealth {
  readonly heapBytes: number
  /** At which the thread dies. */
  readonly heapLimitBytes: number
}

type Config = Readonly<Record<string, string>>

/** What can be asked of a host thread, with what it answers. */
export interface HostCalls {
  /** `slot`: the task's number in its thread; see turns.ts. */
  start: { args: { readonly spec: TaskSpec; readonly slot: number }; answer: undefined }
  stop: { args: { readonly id: TaskId; readonly graceMs: number }; answer: 'ended' | 'cut off' }
  pause: { args: { readonly id: TaskId }; answer: undefined }
  resume: { args: { readonly id: TaskId }; answer: undefined }
  /** See {@link ActiveTopics.forget}. */
  forgetTopics: { args: { readonly id: TaskId }; answer: undefined }
  /** The answer to a `mayRun`. */
  mayRun: { args: { readonly question: number; readonly yes: boolean }; answer: undefined }
  plan: {
    args: { readonly ref: PluginRef; readonly config: Config; readonly maxTasks: number }
    answer: Record<string, string>[]
  }
  check: { args: { readonly ref: PluginRef; readonly config: Config }; answer: Record<string, string[]> }
  checkPart: {
    args: { readonly kind: ChainKind; readonly ref: PluginRef; readonly config: Config }
    answer: Record<string, string[]>
  }
  /** Undefined: with this config the connector takes none. */
  signalPlace: { args: { readonly ref: PluginRef; readonly config: Config }; answer: SignalPlace | undefined }
  metrics: { args: object; answer: TaskMetrics[] }
  close: { args: object; answer: undefined }
}

export type HostCall = keyof HostCalls

export type HostRequest = {
  [K in HostCall]: { readonly id: number; readonly call: K; readonly args: HostCalls[K]['args'] }
}[HostCall]

/** An error as it crosses threads: its kind stays recognisable by its fields. */
export interface ThrownError {
  readonly name: string
  readonly message: string
  readonly stack: string
  readonly code?: string
  readonly retriable: boolean
}

export type HostMessage =
  | { readonly kind: 'answer'; readonly id: number; readonly value?: unknown; readonly error?: ThrownError }
  | { readonly kind: 'running' | 'paused'; readonly id: TaskId; readonly generation: number }
  | {
      readonly kind: 'failed'
      readonly id: TaskId
      readonly generation: number
      readonly trace: string
      /** A restart would only fail again. */
      readonly permanent: boolean
      /** Nothing went wrong: see `isOvertaken` of task-client.ts. */
      readonly overtaken: boolean
    }
  | { readonly kind: 'stalled'; readonly id: TaskId; readonly generation: number; readonly trace: string }
  /** It has used a topic for the first time; see active-topics.ts. */
  | { readonly kind: 'topic'; readonly id: TaskId; readonly generation: number; readonly topic: string }
  /** How it gets on, by itself; at most once a second. */
  | {
      readonly kind: 'progress'
      readonly id: TaskId
      readonly generation: number
      readonly progress: ShownProgress
    }
  /** A task that writes in transactions has fenced its predecessor: may it go on? */
  | { readonly kind: 'mayRun'; readonly id: TaskId; readonly generation: number; readonly question: number }
  | ({ readonly kind: 'log' } & LoggedLine)
  | ({ readonly kind: 'alive' } & ThreadHealth)

export function thrownError(error: unknown): ThrownError {
  if (!(error instanceof Error))
    return { name: 'Error', message: String(error), stack: String(error), retriable: false }
  const { name, message } = error
  const { code, retriable } = error as { code?: unknown; retriable?: unknown }
  return {
    name,
    message,
    stack: traceOf(error),
    ...(typeof code === 'string' ? { code } : {}),
    retriable: retriable === true,
  }
}

/** Stack with those of its causes. What the user can mend needs no stack. */
export function traceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'ConfigError') return `ConfigError: ${error.message}`
  const own = error.stack ?? `${error.name}: ${error.message}`
  return error.cause === undefined ? own : `${own}\nCaused by: ${traceOf(error.cause)}`
}

/** The error on the other side, as much of it as crossed. */
export function rethrowable({ name, message, stack, code, retriable }: ThrownError): Error {
  return Object.assign(new Error(message), { name, stack, retriable, ...(code === undefined ? {} : { code }) })
}
