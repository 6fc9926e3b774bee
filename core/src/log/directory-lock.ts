import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DataDirectoryError } from './errors.ts'

/** Holds a data directory until it is released, or the process ends in whatever way. */
export interface DirectoryLock {
  release(): void
}

/**
 * Takes the lock of a data directory.
 *
 * Node has no flock. SQLite, which is part of Node, has a lock that the system drops with the process, that is seen from
 * other containers on the same files, and that holds between threads of one process too; so the lock file is an (always empty)
 * database with an exclusive transaction open. A lock file that a killed process left behind is not locked.
 * @throws DataDirectoryError when another holds it
 */
export function lockDirectory(dir: string): DirectoryLock {
  const database = new DatabaseSync(join(dir, '.lock'), { timeout: 0 })
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    throw new DataDirectoryError(`The data directory ${dir} is in use by another process${holder(dir)}.`, {
      cause: error,
    })
  }
  writeFileSync(join(dir, '.lock.pid'), `${process.pid}\n`)
  return { release: () => database.close() }
}

function holder(dir: string): string {
  try {
    const pid = readFileSync(join(dir, '.lock.pid'), 'utf8').trim()
    return /^\d+$/.test(pid) ? ` (process ${pid})` : ''
  } catch {
    return ''
  }
}
