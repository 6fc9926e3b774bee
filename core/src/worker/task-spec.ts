/** What the herder hands to the task hosts, and what they tell it. Plain data: it crosses threads. */
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

/** A transform or a predicate. */
export interface ChainPartSpec {
  readonly ref: PluginRef
  readonly alias: string
  /** Its own settings, without the alias's prefix. */
  readonly config: Readonly<Record<string, string>>
}

export interface TransformSpec extends ChainPartSpec {
  /** It applies where this holds, or with `negate` where it does not; undefined: to all records. */
  readonly predicate: ChainPartSpec | undefined
  readonly negate: boolean
}

export interface TaskSpec extends TaskId {
  readonly type: 'source' | 'sink'
  readonly plugin: PluginRef
  /** The connector's config with the task's merged over it. */
  readonly config: Readonly<Record<string, string>>
  readonly keyConverter: ConverterSpec
  readonly valueConverter: ConverterSpec
  readonly headerConverter: ConverterSpec
  /** In the order in which records pass them. */
  readonly transforms: readonly TransformSpec[]
  readonly targetState: 'STARTED' | 'PAUSED'
  /** Told back with each status: tells the runs of one task apart. */
  readonly generation: number
}

export interface TaskStatus extends TaskId {
  /** STALLED: it runs, has work to do, and does not get on with it. */
  readonly state: 'RUNNING' | 'STALLED' | 'PAUSED' | 'FAILED' | 'RESTARTING' | 'UNASSIGNED'
  /** Of FAILED and RESTARTING: why. Of STALLED: what it waits for, and since when. */
  readonly trace?: string
  readonly generation: number
}

/** Where a connector reads signals from. */
export interface SignalPlace {
  readonly topic: string
  /** Of the records. Left out: they have none. */
  readonly key?: string
}

/** A text by which maps know a task. */
export function taskKey({ connector, task }: TaskId): string {
  return `${connector}-${task}`
}
