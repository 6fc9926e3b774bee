import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConnectError } from '@tidewire/sdk'

/** What is durable in a sink's file: its first `size` bytes hold the records before `offsets`, by topic and partition. */
export interface Progress {
  readonly version: number
  readonly size: number
  readonly offsets: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** @returns undefined when there is none yet */
export async function loadProgress(path: string): Promise<Progress | undefined> {
  let text
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const progress = JSON.parse(text) as Progress
    if (progress.version === 1 && Number.isSafeInteger(progress.size) && typeof progress.offsets === 'object') {
      return progress
    }
  } catch {
    // Not JSON: the same answer as for JSON of another form.
  }
  throw new ConnectError(`${path} does not hold the positions of a file sink; move it away to start without them`)
}

/** Replaces the progress as a whole: after a crash at any moment the old one or the new one is there. */
export async function saveProgress(path: string, progress: Progress): Promise<void> {
  const temporary = `${path}.tmp`
  {
    await using file = await open(temporary, 'w')
    await file.writeFile(JSON.stringify(progress) + '\n')
    await file.sync()
  }
  await rename(temporary, path)
  await syncFolder(path)
}

/** Makes durable that a file is in its folder: syncing the file alone does not. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(dirname(path), 'r')
  await folder.sync()
}
