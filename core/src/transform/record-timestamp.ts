import type { ConnectRecord } from '@tidewire/sdk'

/** Of a source's record undefined, and of a sink's -1, where there is none: undefined for both. */
export function timestampOf({ timestamp }: ConnectRecord): number | undefined {
  return timestamp === -1 ? undefined : timestamp
}
