/**
 * What the console consists of, as a browser takes it: the files of console/, and the client of the REST API beside them
 * (console/rest-client/), with their types taken out.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export interface ConsoleFile {
  readonly type: string
  readonly text: string
  /** For `If-None-Match`. */
  readonly etag: string
}

const folder = new URL('../../../console/', import.meta.url)
const clientFolder = new URL('../rest-client/', import.meta.url)
/** How the console's sources name the client's folder, and how its pages do. */
const clientInSources = '../core/src/rest-client/'
const clientInPages = './rest-client/'
const types: Readonly<Record<string, string>> = {
  '.ts': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
}

let files: Promise<ReadonlyMap<string, ConsoleFile>> | undefined

/**
 * All files, by their path below console/; empty in an installation without them. Made when first asked for: few workers
 * of a cluster are ever looked at.
 */
export async function consoleFiles(): Promise<ReadonlyMap<string, ConsoleFile>> {
  files ??= readFiles().catch((error: unknown) => {
    files = undefined
    throw error
  })
  return files
}

async function readFiles(): Promise<Map<string, ConsoleFile>> {
  const found = [...(await sourcesIn(folder, '')), ...(await sourcesIn(clientFolder, 'rest-client/'))]
  const scripts = found.filter(({ path }) => path.endsWith('.ts'))
  const stripped = new Map(
    scripts.length === 0 ? [] : Object.entries(await withoutTypes(scripts.map(({ url }) => fileURLToPath(url)))),
  )
  return new Map(
    await Promise.all(
      found.map(async ({ path, url }): Promise<[string, ConsoleFile]> => {
        const text = stripped.get(fileURLToPath(url)) ?? (await readFile(url, 'utf8'))
        const shown = text.replaceAll(`'${clientInSources}`, `'${clientInPages}`)
        const etag = `"${createHash('sha256').update(shown).digest('base64url').slice(0, 22)}"`
        return [path, { type: types[extname(path)]!, text: shown, etag }]
      }),
    ),
  )
}

async function sourcesIn(place: URL, before: string): Promise<{ readonly path: string; readonly url: URL }[]> {
  const names = await readdir(place).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  })
  return names
    .filter((name) => Object.hasOwn(types, extname(name)) && !name.endsWith('.test.ts'))
    .map((name) => ({ path: before + name, url: new URL(name, place) }))
}

/**
 * In a process of its own, a quarter of a second once: what takes the types out is not loaded in a worker whose own code
 * comes from the compile cache, and would cost it some 30 MiB from then on.
 */
async function withoutTypes(paths: readonly string[]): Promise<Record<string, string>> {
  const command = fileURLToPath(new URL('strip-types.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', command, ...paths],
    { maxBuffer: 16 * 1024 * 1024 },
  )
  return JSON.parse(stdout) as Record<string, string>
}
