import { ConfigError, type OffsetsContext, type SourceOffsetChange, type SourceStart } from '@tidewire/sdk'
import { openLink } from '../link/link.ts'
import { askServer } from '../link/server.ts'
import { findIndices } from './indices.ts'
import { offsetOf, partitionOf, type SortValue } from './offset.ts'
import { fieldOf, modeOf, queryOf, type ReadConfig } from './settings.ts'
import { greatestValue, sortableType, valueOfTime } from './sort-field.ts'

/**
 * The positions from which all indices are read so.
 * @throws ConfigError where the mode has no such position; ConnectError
 */
export async function offsetsFrom(
  config: ReadConfig,
  from: SourceStart,
  { signal }: OffsetsContext,
): Promise<SourceOffsetChange[]> {
  const field = fieldOf(config)
  const mode = modeOf(config)
  if (field === undefined) throw new ConfigError(`mode ${mode} reads all documents, and begins with the first`)
  if (mode === 'timestamp' && from !== 'latest' && !('timestamp' in from)) {
    throw new ConfigError('mode timestamp begins from "earliest", "latest" or {"timestamp": <ms>}')
  }
  if (mode === 'incrementing' && from !== 'latest' && !('offset' in from)) {
    throw new ConfigError('mode incrementing begins from "earliest", "latest" or {"offset": <first value>}')
  }
  const link = await openLink(config)
  try {
    const server = await askServer(link, signal)
    const changes: SourceOffsetChange[] = []
    for (const { name, uuid } of await findIndices(link, config, signal)) {
      const type = await sortableType(link, name, field, config, signal)
      if (type === undefined) continue
      const query = queryOf(config)
      const filters = query === undefined ? [] : [query]
      const latest = (): Promise<SortValue | undefined> =>
        greatestValue({ link, server, signal }, name, { name: field, type }, filters)
      const value = await valueFrom(from, mode === 'timestamp', type, latest)
      if (value !== undefined)
        changes.push({ partition: partitionOf(name), offset: offsetOf({ uuid, value, ids: [] }) })
    }
    return changes
  } finally {
    await link.close()
  }
}

/** What comes after this value is read. */
function valueFrom(
  from: SourceStart,
  isTime: boolean,
  type: string,
  latest: () => Promise<SortValue | undefined>,
): SortValue | undefined | Promise<SortValue | undefined> {
  if (from === 'latest') return isTime ? valueOfTime(Date.now(), type) : latest()
  if ('timestamp' in from) return valueOfTime(from.timestamp, type)
  if (type === 'keyword') throw new ConfigError('a keyword is no number: begin from "earliest" or "latest"')
  return from.offset - 1
}
