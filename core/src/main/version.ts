import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }

/** This release. */
export const version: string = packageJson.version

const checkout = resolve(import.meta.dirname, '../../..')

/** The commit that this was checked out of; undefined where it is no checkout. */
export async function commitId(folder = checkout): Promise<string | undefined> {
  const read = async (...path: string[]): Promise<string> =>
    readFile(join(folder, '.git', ...path), 'utf8').catch(() => '')
  const head = (await read('HEAD')).trim()
  const branch = /^ref: (\S+)$/.exec(head)?.[1]
  const found = branch === undefined ? head : (await read(branch)).trim() || packed(await read('packed-refs'), branch)
  return found !== undefined && /^[0-9a-f]{40,}$/.test(found) ? found : undefined
}

function packed(refs: string, branch: string): string | undefined {
  return refs
    .split('\n')
    .find((line) => line.endsWith(` ${branch}`))
    ?.split(' ')[0]
}
