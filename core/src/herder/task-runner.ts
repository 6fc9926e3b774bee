/** What the herder needs of the task hosts (core/src/worker): the one border that connector code runs behind. */
import type { ConfigProblems } from '@tidewire/sdk'
import type { PluginRef } from '../plugin/manifest.ts'

export interface TaskId {
  readonly connector: string
  readonly task: number
}

export interface ConverterSpec {
  readonly ref: PluginRef
  /** The converter's own settings, without the `*.converter.` prefix. */
  readonly config: Readonly<Record<string, string>>
}

export interface TaskSpec extends TaskId {
  readonly type: 'source' | 'sink'
  readonly plugin: PluginRef
  /** The connector's config with the task's merged over it. */
  readonly config: Readonly<Record<string, string>>
  readonly keyConverter: ConverterSpec
  readonly valueConverter: ConverterSpec
  readonly headerConverter: ConverterSpec
  readonly targetState: 'STARTED' | 'PAUSED'
  /** Told back with each status: tells the runs of one task apart. Higher for a later run. */
  readonly generation: number
}

export interface TaskStatus extends TaskId {
  readonly state: 'RUNNING' | 'PAUSED' | 'FAILED' | 'RESTARTING' | 'UNASSIGNED'
  readonly trace?: string
  readonly generation: number
}

export interface TaskRunner {
  startTask(spec: TaskSpec): Promise<void>
  stopTask(id: TaskId): Promise<void>
  pauseTask(id: TaskId): Promise<void>
  resumeTask(id: TaskId): Promise<void>
  /** How the connector splits its work. @throws ConfigError with what is wrong, where `check` finds something */
  planTasks(
    ref: PluginRef,
    config: Readonly<Record<string, string>>,
    maxTasks: number,
  ): Promise<Record<string, string>[]>
  check(ref: PluginRef, config: Readonly<Record<string, string>>): Promise<ConfigProblems>
  close(): Promise<void>
}
