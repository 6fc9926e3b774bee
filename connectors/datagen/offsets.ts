import { ConfigError, type SourceOffsetChange, type SourceStart } from '@tidewire/sdk'
import type { DatagenConfig } from './config.ts'

/** Of the generator, whose offsets count readings. @throws ConfigError for what it cannot go on from */
export function checkCounts(offsets: readonly SourceOffsetChange[]): true {
  return check(offsets, 'generator', 'count', 'readings so far')
}

/** Of the simulated sensors. @throws ConfigError for what they cannot go on from */
export function checkSequences(offsets: readonly SourceOffsetChange[]): true {
  return check(offsets, 'device', 'seq', 'number of the last reading')
}

/** @throws ConfigError where the readings have no place of their own in time */
export function countFrom(config: DatagenConfig, from: SourceStart): SourceOffsetChange[] {
  return [{ partition: { generator: config.quickstart }, offset: { count: countOf(config, from) } }]
}

function countOf({ devices, 'start.time': start }: DatagenConfig, from: SourceStart): number {
  if (from !== 'latest' && 'offset' in from) return from.offset
  if (from !== 'latest' && start !== undefined) {
    return Math.max(0, Math.ceil((from.timestamp - start) / 1000)) * devices
  }
  const possible = start === undefined ? '' : ', from {"timestamp": <ms>}'
  throw new ConfigError(`the readings begin from "earliest"${possible} or from {"offset": <number of the reading>}`)
}

function check(offsets: readonly SourceOffsetChange[], name: string, counter: string, what: string): true {
  for (const { partition, offset } of offsets) {
    if (offset === null) continue
    if (typeof partition[name] !== 'string') {
      throw new ConfigError(`the partition ${JSON.stringify(partition)} is not {"${name}": <name>}`)
    }
    const count = offset[counter]
    if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0) {
      throw new ConfigError(`the offset ${JSON.stringify(offset)} is not {"${counter}": <${what}>}`)
    }
  }
  return true
}
