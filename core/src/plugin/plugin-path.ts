/** Finds plugin modules on disk. Looks at names and times only; nothing is loaded here. */
import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A place that should hold a plugin. */
export interface PluginLocation {
  /** The folder or file. */
  readonly path: string
  /** Changes whenever a file of the plugin changes. */
  readonly stamp: string
  /** URL of the entry module, stamp included; absent where there is none to load. */
  readonly module?: string
  /** Why there is none. */
  readonly reason?: string
}

const moduleFile = /\.(ts|mts|js|mjs|cjs)$/
const notAnEntry = /\.d\.m?ts$|\.(test|spec|config)\.[cm]?[jt]s$/
const indexFiles = ['index.js', 'index.mjs', 'index.ts', 'index.mts', 'index.cjs']
// Enough for any connector; a bound for a path that was pointed at something else.
const maxFiles = 5000

/**
 * The plugins of one `plugin.path` entry: a module file, a package folder, or a folder that holds such. Folders of the
 * last kind may be empty or hold other things; only what looks like a plugin counts.
 */
export async function findPlugins(entry: string): Promise<PluginLocation[]> {
  const path = resolve(entry)
  const kind = await kindOf(path)
  if (kind === 'missing') return [{ path, stamp: 'missing', reason: 'no such file or folder' }]
  if (kind === 'file') return [await fileLocation(path)]
  const own = await packageLocation(path)
  if (own !== undefined) return [own]
  const found = await Promise.all((await namesIn(path)).map((name) => childLocation(join(path, name))))
  return found.filter((location) => location !== undefined)
}

async function childLocation(path: string): Promise<PluginLocation | undefined> {
  const name = basename(path)
  if (name.startsWith('.') || name === 'node_modules') return undefined
  if ((await kindOf(path)) === 'folder') return packageLocation(path)
  return moduleFile.test(name) && !notAnEntry.test(name) ? fileLocation(path) : undefined
}

async function fileLocation(path: string): Promise<PluginLocation> {
  const stamp = await stampOf(path)
  return moduleFile.test(path)
    ? { path, stamp, module: moduleUrl(path, stamp) }
    : { path, stamp, reason: `not a module: ${extname(path) || 'no'} extension, where .js, .mjs or .ts is expected` }
}

/** The folder as a package, or undefined where it has neither package.json nor an index file. */
async function packageLocation(path: string): Promise<PluginLocation | undefined> {
  const names = new Set(await namesIn(path))
  const index = indexFiles.find((name) => names.has(name))
  if (!names.has('package.json') && index === undefined) return undefined
  const stamp = await stampOf(path)
  try {
    const main = names.has('package.json')
      ? entryOf(JSON.parse(await readFile(join(path, 'package.json'), 'utf8')))
      : undefined
    const file = main ?? index
    if (file === undefined)
      return { path, stamp, reason: 'package.json has no exports or main, and there is no index file' }
    return { path, stamp, module: moduleUrl(join(path, file), stamp) }
  } catch (error) {
    return { path, stamp, reason: `package.json cannot be read: ${(error as Error).message}` }
  }
}

/** The entry that `exports` or `main` of a package.json names, as Node chooses it for an import. */
function entryOf(packageJson: unknown): string | undefined {
  if (typeof packageJson !== 'object' || packageJson === null) return undefined
  const { exports, main } = packageJson as { exports?: unknown; main?: unknown }
  const rooted =
    typeof exports === 'object' && exports !== null && '.' in exports
      ? (exports as Record<string, unknown>)['.']
      : exports
  return exportTarget(rooted) ?? (typeof main === 'string' ? main : undefined)
}

function exportTarget(target: unknown): string | undefined {
  if (typeof target === 'string') return target
  if (Array.isArray(target)) return target.map(exportTarget).find((found) => found !== undefined)
  if (typeof target !== 'object' || target === null) return undefined
  for (const [condition, value] of Object.entries(target)) {
    if (!['node', 'import', 'module-sync', 'default'].includes(condition)) continue
    const found = exportTarget(value)
    if (found !== undefined) return found
  }
  return undefined
}

function moduleUrl(path: string, stamp: string): string {
  const url = pathToFileURL(path)
  url.searchParams.set('v', stamp)
  return url.href
}

/** A digest of names, sizes and change times of the plugin's own files; its dependencies are not looked at. */
async function stampOf(path: string): Promise<string> {
  const digest = createHash('sha256')
  const pending = [path]
  for (let seen = 0; pending.length > 0 && seen < maxFiles; seen++) {
    const next = pending.pop()!
    const stats = await stat(next, { bigint: true }).catch(() => undefined)
    if (stats === undefined) continue
    if (stats.isDirectory()) {
      const names = (await namesIn(next)).filter((name) => !name.startsWith('.') && name !== 'node_modules')
      pending.push(...names.map((name) => join(next, name)))
    } else {
      digest.update(`${next}\0${stats.size}\0${stats.mtimeNs}\0${stats.ctimeNs}\0${stats.ino}\n`)
    }
  }
  return digest.digest('base64url').slice(0, 16)
}

async function kindOf(path: string): Promise<'file' | 'folder' | 'missing'> {
  const stats = await stat(path).catch(() => undefined)
  return stats === undefined ? 'missing' : stats.isDirectory() ? 'folder' : 'file'
}

async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.sort()
}
