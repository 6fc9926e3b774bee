import type { Schema } from '@tidewire/sdk'

/** Reads a value from the bytes [start, end) of its text form, escapes of its surroundings undone. */
export type ReadText = (bytes: Buffer, start: number, end: number) => unknown

/** How one type with its modifier becomes a value of the SDK. */
export interface Mapping {
  /** Of a column that has no NULL. */
  readonly schema: Schema
  readonly read: ReadText
  /** What Debezium puts where a column without NULL has no value: in the old row of which only the key was sent. */
  readonly empty: unknown
  /** What stands for a TOASTed value that was not sent, where the schema's type does not say it. */
  readonly unavailable?: (placeholder: string) => unknown
}
