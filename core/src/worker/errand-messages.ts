/**
 * Errands: what is done for one request, in a thread of its own, with the connector's code but apart from its tasks. Plain
 * data, since it crosses threads; int64 values may be bigints.
 */
import type { SourceOffsetChange, SourceStart, TopicPartitionOffset } from '@tidewire/sdk'
import type { HostSettings, ThrownError } from './host-messages.ts'
import type { TaskSpec } from './task-spec.ts'
import type { LoggedLine } from './thread-logger.ts'

/** Where a preview begins to read. */
export type PreviewFrom =
  /** A source as on its first start; a sink's topics from their beginning. */
  | 'earliest'
  /** Of a sink's topics, the newest records. */
  | 'latest'
  /** Where the connector is now: its stored offsets. */
  | 'committed'
  /** Of a sink's topics, these partitions from these offsets on. */
  | readonly TopicPartitionOffset[]

/** See {@link PreviewedRecord}. */
export interface PreviewErrand {
  readonly spec: TaskSpec
  /** Most records. */
  readonly limit: number
  readonly timeoutMs: number
  /** Most bytes of JSON. */
  readonly maxBytes: number
  readonly from: PreviewFrom
}

/** Bytes as they can be shown in JSON. */
export interface ShownBytes {
  readonly encoding: 'utf-8' | 'base64'
  readonly data: string
  /** Of all of it, where the data is cut. */
  readonly size: number
  readonly truncated?: true
}

/** A key, a value or a header. */
export interface PreviewedValue {
  /**
   * As the source gave it, or as the sink would get it: JSON, with byte arrays in base64, Decimals as text and maps whose
   * keys are no text as pairs. Left out where it would be too much to show, or could not be made.
   */
  readonly value?: unknown
  /** In the JSON converter's notation; null without one. */
  readonly schema?: unknown
  /** What goes into, or is in, the log; left out where it could not be converted. */
  readonly bytes?: ShownBytes | null
}

/** One thing that went wrong with a record. */
export interface RecordProblem {
  /** Kafka Connect's names: KEY_CONVERTER, VALUE_CONVERTER … */
  readonly stage: string
  /** What failed: the converter, the connector. */
  readonly operation: string
  readonly exception: string
  readonly message: string
}

/** A record as a connector would produce or put it, after its transforms. */
export interface PreviewedRecord {
  readonly topic: string
  /** Of a source's record: null where the key decides. */
  readonly partition: number | null
  /** Of a sink's record. */
  readonly offset?: number
  readonly timestamp: number | null
  readonly sourcePartition?: unknown
  readonly sourceOffset?: unknown
  readonly key: PreviewedValue
  readonly value: PreviewedValue
  readonly headers: readonly (PreviewedValue & { readonly key: string })[]
  /** The alias of the transform that drops it: it is shown as it was before the transforms, and goes nowhere. */
  readonly dropped?: string
  readonly errors: readonly RecordProblem[]
}

/** Why there is no more of it. `end`: the source, or the topics, have no more for now. */
export type Ended = 'limit' | 'bytes' | 'timeout' | 'end' | 'failed'

export interface PreviewEnd {
  readonly ended: Ended
  /** Of `failed`, and of a source that failed in passing until the time was over. */
  readonly error?: string
}

/** See {@link ListedLetter}. */
export interface ListErrand {
  readonly spec: TaskSpec
  readonly topic: string
  /** Only this one; default: all. */
  readonly partition?: number
  /** `redriven`: what came since the last re-drive. */
  readonly from: number | 'earliest' | 'redriven'
  readonly limit: number
  readonly timeoutMs: number
}

/** A dead letter as it is listed. */
export interface ListedLetter {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  /** Whether the position of re-drives is past it. */
  readonly redriven: boolean
  readonly connector: string | null
  readonly stage: string | null
  readonly operation: string | null
  readonly exception: string | null
  readonly message: string | null
  readonly origin: {
    readonly topic: string | null
    readonly partition: number | string | null
    readonly offset: number | string | null
  }
  readonly key: ShownBytes | null
  readonly value: ShownBytes | null
  readonly headers: readonly { readonly key: string; readonly value: ShownBytes | null }[]
}

export interface LetterPartition {
  readonly partition: number
  readonly earliest: number
  readonly latest: number
  /** Where the next re-drive begins; null: at the beginning, there was none. */
  readonly redriven: number | null
}

export interface ListEnd {
  readonly topic: string
  readonly partitions: readonly LetterPartition[]
  /** Where a next call goes on; empty at the end. */
  readonly next: readonly { readonly partition: number; readonly offset: number }[]
}

/** Which letters to put back. */
export type LetterChoice =
  /** All that came since the last re-drive. */
  | { readonly kind: 'since' }
  | { readonly kind: 'range'; readonly partition: number; readonly from: number; readonly to: number }
  | { readonly kind: 'offsets'; readonly offsets: readonly { readonly partition: number; readonly offset: number }[] }

/** See {@link RedrivenLetter}. */
export interface RedriveErrand {
  readonly spec: TaskSpec
  readonly topic: string
  readonly choice: LetterChoice
  /** Most letters to look at. */
  readonly limit: number
  readonly timeoutMs: number
  /** Converts only. */
  readonly dryRun: boolean
  /** Whether the connector is stopped: see the SDK's `redrive`. */
  readonly alone: boolean
}

/** What became of a letter. */
export interface RedrivenLetter {
  readonly partition: number
  readonly offset: number
  /**
   * `delivered`: in the topic, or flushed by the sink. `deliverable`: of a dry run. `rejected`: it failed again, and is no
   * second letter. `skipped`: not to be put back. `unfinished`: the errand ended before it was certain; it may be delivered.
   */
  readonly outcome: 'delivered' | 'deliverable' | 'rejected' | 'skipped' | 'unfinished'
  /** Of a source's record: where it is now. */
  readonly to?: { readonly topic: string; readonly partition: number; readonly offset: number }
  /** Of a rejected one. */
  readonly stage?: string
  readonly reason?: string
}

export interface RedriveEnd {
  readonly ended: Exclude<Ended, 'bytes'>
  readonly error?: string
  /** Where the next re-drive of all begins, by partition; those without one are left out. */
  readonly redriven: readonly { readonly partition: number; readonly offset: number }[]
}

/** What to do with a connector's offsets; each as Kafka Connect's REST shows it, those of sinks too. */
export type OffsetsWork =
  | { readonly kind: 'read' }
  | { readonly kind: 'alter'; readonly offsets: readonly SourceOffsetChange[] }
  | { readonly kind: 'reset' }
  /** `topics`: of a sink, of its topics only these. */
  | { readonly kind: 'from'; readonly from: 'earliest' | SourceStart; readonly topics?: readonly string[] | undefined }

/** See {@link OffsetsChanged}. */
export interface OffsetsErrand {
  readonly spec: TaskSpec
  readonly timeoutMs: number
  readonly work: OffsetsWork
}

export interface OffsetsChanged {
  /** What was read, or what was set; null: forgotten. */
  readonly offsets: readonly SourceOffsetChange[]
  /** The other side keeps none besides, as far as the connector knows. */
  readonly isAll: boolean
  readonly warnings: readonly string[]
}

/** A deep validation: see the SDK's `tryOut`. */
export interface TryErrand {
  readonly spec: TaskSpec
  readonly timeoutMs: number
}

export interface TryEnd {
  readonly ended: 'tried' | 'timeout'
  /** By setting. */
  readonly problems: Readonly<Record<string, string[]>>
}

/** By kind: what is asked, what comes piece by piece, and what comes at the end. */
export interface Errands {
  try: { errand: TryErrand; item: never; end: TryEnd }
  preview: { errand: PreviewErrand; item: PreviewedRecord; end: PreviewEnd }
  list: { errand: ListErrand; item: ListedLetter; end: ListEnd }
  redrive: { errand: RedriveErrand; item: RedrivenLetter; end: RedriveEnd }
  offsets: { errand: OffsetsErrand; item: never; end: OffsetsChanged }
}

export type ErrandKind = keyof Errands

/** What an errand's thread is told at birth. */
export type ErrandBirth = {
  [K in ErrandKind]: { readonly settings: HostSettings; readonly kind: K; readonly errand: Errands[K]['errand'] }
}[ErrandKind]

export type ErrandMessage<K extends ErrandKind = ErrandKind> =
  /** The thread is loaded: the time of the errand runs. */
  | { readonly kind: 'begun' }
  | { readonly kind: 'item'; readonly item: Errands[K]['item'] }
  | ({ readonly kind: 'log' } & LoggedLine)
  | { readonly kind: 'end'; readonly end: Errands[K]['end'] }
  | { readonly kind: 'failed'; readonly error: ThrownError }
