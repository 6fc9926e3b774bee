import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { messageOf } from '../logging/message-of.ts'
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
 * Makes a data directory where there is none, and what is missing above it.
 * @throws DataDirectoryError
 */
export function makeDataDirectory(dir: string): void {
  try {
    makeFolder(dir)
    if (!statSync(dir).isDirectory()) throw new Error('it is a file')
  } catch (error) {
    throw new DataDirectoryError(`The data directory ${dir} cannot be made: ${messageOf(error)}`, { cause: error })
  }
}

/** Step by step: Node's `recursive` never returns below a folder that takes no others, as /proc. */
function makeFolder(path: string): void {
  const above = dirname(path)
  if (existsSync(path) || above === path) return
  makeFolder(above)
  try {
    mkdirSync(path)
  } catch (error) {
    // Another process came first.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
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
