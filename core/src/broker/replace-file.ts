import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Replaces a file, or makes it: whoever reads it sees the old text or the new, and the new one is on disk when this
 * resolves. Does not hold up the thread, as its counterpart of the log does.
 * @param mode of the file
 * @throws Error of the file system; no half file is left behind then
 */
export async function replaceFile(path: string, text: string, mode = 0o666): Promise<void> {
  // By the process: another one may be replacing it too.
  const temporary = `${path}.${process.pid}`
  try {
    const file = await open(temporary, 'w', mode)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw error
  }
  await syncFolder(dirname(path))
}

/** Without it the rename could be undone by a power failure. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
