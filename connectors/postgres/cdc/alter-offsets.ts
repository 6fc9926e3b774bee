import { ConfigError, type SourceOffsetChange, type SourcePartition } from '@tidewire/sdk'
import type { CdcConfig } from './config.ts'
import { positionOf, serverPartition } from './offset.ts'

/**
 * Looks whether the connector could go on from changed offsets. The slot is not touched: it cannot go back, and goes
 * forward by itself.
 * @returns true: nothing is left to be done in the database
 * @throws ConfigError
 */
export function checkOffsets(config: CdcConfig, changes: readonly SourceOffsetChange[]): boolean {
  for (const { partition, offset } of changes) {
    // To get rid of one is never wrong, whatever it is.
    if (offset === null) continue
    const { server } = serverPartition(config['topic.prefix'])
    if (partition['server'] !== server) throw unknownPartition(partition, server as string)
    // How far a snapshot's table has been read is looked at when it is gone on with.
    if (Object.keys(partition).length === 1) positionOf(offset)
  }
  return true
}

function unknownPartition(partition: SourcePartition, server: string): ConfigError {
  return new ConfigError(
    `the partition ${JSON.stringify(partition)} is none of this connector: with topic.prefix=${server} it is {"server": "${server}"}`,
  )
}
