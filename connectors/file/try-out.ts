import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ConfigProblems } from '@tidewire/sdk'

/** Whether the source's file can be read. One that is not there yet is waited for, and so no problem. */
export async function tryReading({ file }: { readonly file: string }): Promise<ConfigProblems> {
  return problemOf(file, 'read', async () => {
    const found = await statIfThere(file)
    if (found === undefined) return undefined
    if (found.isDirectory()) return `${file} is a directory`
    await access(file, constants.R_OK)
    return undefined
  })
}

/** Whether the sink's file can be appended to, or made where it is not there. Makes nothing. */
export async function tryWriting({ file }: { readonly file: string }): Promise<ConfigProblems> {
  return problemOf(file, 'written', async () => {
    const found = await statIfThere(file)
    if (found?.isDirectory() === true) return `${file} is a directory`
    if (found !== undefined) {
      await access(file, constants.W_OK)
      return undefined
    }
    let folder = dirname(file)
    let parent = await statIfThere(folder)
    while (parent === undefined) {
      folder = dirname(folder)
      parent = await statIfThere(folder)
    }
    if (!parent.isDirectory()) return `${folder} is not a directory`
    await access(folder, constants.W_OK | constants.X_OK)
    return undefined
  })
}

async function problemOf(file: string, what: string, look: () => Promise<string | undefined>): Promise<ConfigProblems> {
  try {
    const problem = await look()
    return problem === undefined ? {} : { file: problem }
  } catch (error) {
    return { file: `${file} cannot be ${what} by the worker: ${(error as Error).message}` }
  }
}

async function statIfThere(path: string): Promise<Awaited<ReturnType<typeof stat>> | undefined> {
  return stat(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  })
}
