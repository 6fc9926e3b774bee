import { ConfigError, type OffsetsContext, type SourceOffsetChange, type SourceStart } from '@tidewire/sdk'
import { openS3 } from '../link/connect.ts'
import { Bucket } from './bucket.ts'
import { partitionOf } from './listing.ts'
import { fixedStreams, nameReader, orderOf } from './object-names.ts'
import { readPrefix, type S3SourceConfig } from './settings.ts'
import { compareRanks, parsePosition, positionOffset } from './stream-position.ts'

/**
 * Whether offsets are such as can be gone on from. The store keeps none.
 * @throws ConfigError with what is wrong
 */
export function checkOffsets(config: S3SourceConfig, changes: readonly SourceOffsetChange[]): true {
  for (const { partition, offset } of changes) {
    if (offset === null) continue
    const { bucket, dir, stream } = partition
    if (bucket !== config['s3.bucket.name'] || dir !== config['topics.dir'] || typeof stream !== 'string') {
      const expected = JSON.stringify(partitionOf(config, '<topic>/<partition>, or lane-<00 to 31>'))
      throw new ConfigError(`the partition ${JSON.stringify(partition)} is none of this connector: it has ${expected}`)
    }
    parsePosition(offset, orderOf(config))
  }
  return true
}

/**
 * The positions behind all objects that are there now, or before the first, in the order of reading, that was written at
 * that time or later.
 * @throws ConfigError; ConnectError
 */
export async function offsetsFrom(
  config: S3SourceConfig,
  from: SourceStart,
  { signal, log }: OffsetsContext,
): Promise<SourceOffsetChange[]> {
  if (typeof from === 'object' && 'offset' in from) {
    throw new ConfigError(
      'objects begin from "earliest", "latest" or {"timestamp": <ms>}; a position of its own is set by PATCH',
    )
  }
  if (config['sqs.queue.url'] !== undefined) {
    throw new ConfigError('with sqs.queue.url the queue keeps the position: purge it to begin at what is newest')
  }
  const order = orderOf(config)
  const until = from === 'latest' ? Infinity : from.timestamp
  const readName = nameReader(config)
  const floors = new Map<string, string>(fixedStreams(config).map(({ name }) => [name, '']))
  const firsts = new Map<string, string>()
  const link = openS3(config, signal, log)
  try {
    for await (const page of new Bucket(link, signal, config).list(readPrefix(config))) {
      for (const object of page) {
        const named = readName(object)
        if (named === undefined) continue
        const { name } = named.stream
        const ranks = object.modified < until ? floors : firsts
        const known = ranks.get(name)
        const beyond = known === undefined ? undefined : compareRanks(named.rank, known)
        if (beyond === undefined || (ranks === floors ? beyond > 0 : beyond < 0)) ranks.set(name, named.rank)
      }
    }
  } finally {
    link.close()
  }
  return [...new Set([...floors.keys(), ...firsts.keys()])].map((name) => {
    const floor = floors.get(name) ?? ''
    const first = firsts.get(name)
    // Where younger ones lie among older ones, nothing is left out that is young.
    const position = first === undefined || compareRanks(floor, first) < 0 ? floor : justBefore(first)
    return { partition: partitionOf(config, name), offset: positionOffset(order, position) }
  })
}

/** A rank below that one, with none of an object between. */
function justBefore(rank: string): string {
  return rank.slice(0, -1)
}
