import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { DataDirectoryError } from './errors.ts'
import { isNotFound, writeFileAtomically } from './file-system.ts'
import type { FileSystem } from './file-system.ts'

/** Of the whole directory. Raised when a version of before could not read what is written now. */
const DATA_FORMAT = 1

const FILE = 'meta.properties'
const FORMAT_KEY = 'tidewire.log.format'

/** A random uuid as Kafka writes them: 22 characters of URL-safe base64, never with a '-' in front. */
export function randomUuid(): string {
  for (;;) {
    const uuid = randomBytes(16).toString('base64url')
    if (!uuid.startsWith('-')) return uuid
  }
}

/**
 * Reads the directory's identity, or writes it into a new one. Returns the cluster id.
 * @throws DataDirectoryError for a directory of a newer format, or of something else
 */
export function openDataDirectory(fs: FileSystem, dir: string): string {
  let text: string
  try {
    text = fs.readFileSync(join(dir, FILE), 'utf8')
  } catch (error) {
    if (!isNotFound(error)) throw error
    const clusterId = randomUuid()
    const lines = ['version=1', 'node.id=1', `cluster.id=${clusterId}`, `${FORMAT_KEY}=${DATA_FORMAT}`, '']
    writeFileAtomically(fs, dir, FILE, lines.join('\n'))
    return clusterId
  }
  const properties = new Map(
    text
      .split('\n')
      .filter((line) => line.includes('=') && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.indexOf('=')).trim(), line.slice(line.indexOf('=') + 1).trim()] as const),
  )
  const format = properties.get(FORMAT_KEY)
  const clusterId = properties.get('cluster.id')
  if (format === undefined || clusterId === undefined) {
    throw new DataDirectoryError(
      `${join(dir, FILE)} is not of this log: it says no ${FORMAT_KEY}. Is it the data directory of a Kafka broker?`,
    )
  }
  if (!/^\d+$/.test(format) || Number(format) > DATA_FORMAT) {
    throw new DataDirectoryError(
      `The data directory ${dir} has the format ${format}; this version reads formats up to ${DATA_FORMAT}. Use the version that wrote it, or a newer one.`,
    )
  }
  return clusterId
}
