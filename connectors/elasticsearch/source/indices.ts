import { isObject } from '../link/errors.ts'
import { pathOf, type ElasticsearchLink } from '../link/link.ts'
import { wantedIndices, type ReadConfig } from './settings.ts'

/** An index that is there now. */
export interface Index {
  readonly name: string
  readonly uuid: string
  /** As its settings have it, such as `30s`; left out where they say nothing: a second, or where it is idle longer. */
  readonly refreshInterval?: string
}

/** The open indices that the settings ask for, sorted by name. @throws ConnectError */
export async function findIndices(link: ElasticsearchLink, config: ReadConfig, signal: AbortSignal): Promise<Index[]> {
  const wanted = wantedIndices(config)
  const text = await link.get({
    method: 'GET',
    path: `${pathOf(wanted.join(','))}/_settings`,
    query: {
      expand_wildcards: 'open',
      ignore_unavailable: true,
      allow_no_indices: true,
      // The settings of an index can be long, and the mapping's are among them.
      filter_path: '*.settings.index.uuid,*.settings.index.refresh_interval',
    },
    what: `looking for the indices ${wanted.join(', ')}`,
    signal,
  })
  const found = text === '' ? {} : (JSON.parse(text) as unknown)
  if (!isObject(found)) return []
  const indices = Object.entries(found).flatMap(([name, about]): Index[] => {
    const settings = isObject(about) && isObject(about['settings']) ? about['settings']['index'] : undefined
    if (!isObject(settings)) return []
    const { uuid, refresh_interval: refreshInterval } = settings
    if (typeof uuid !== 'string') return []
    return [{ name, uuid, ...(typeof refreshInterval === 'string' && { refreshInterval }) }]
  })
  return indices.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Whether an index is this task's. One that comes later has its task by its name alone, whatever others there are. */
export function shareOf(config: ReadConfig): (index: Index) => boolean {
  const [task, count] = (config['task.share'] ?? '0/1').split('/').map(Number) as [number, number]
  return ({ name }) => hashOf(name) % count === task
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

const backing = /^\.ds-(.+?)-(?:\d{4}\.\d{2}\.\d{2}-)?\d{6}$/

/** The index, or the data stream that it stands behind. */
export function publicName(index: string): string {
  return backing.exec(index)?.[1] ?? index
}

/** What a refresh interval means in milliseconds; undefined for one that is not known. */
export function intervalMs(text: string): number | undefined {
  const found = /^(\d+)(nanos|micros|ms|s|m|h|d)$/.exec(text)
  if (found === null) return undefined
  const units = { nanos: 1e-6, micros: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
  return Number(found[1]) * units[found[2] as keyof typeof units]
}
