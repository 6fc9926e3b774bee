import { ConfigError, type SourceOffsetChange } from '@tidewire/sdk'

/**
 * What is not acknowledged comes again: whoever sends it keeps the position, and nothing is stored here.
 * @param keeper who keeps it
 * @param wayOut how to begin anew all the same
 * @throws ConfigError for any offset; null ones are let go
 */
export function refuseOffsets(offsets: readonly SourceOffsetChange[], keeper: string, wayOut: string): false {
  if (offsets.every(({ offset }) => offset === null)) return false
  throw new ConfigError(`${keeper} keeps what was not acknowledged, and no offsets are stored here: ${wayOut}`)
}
