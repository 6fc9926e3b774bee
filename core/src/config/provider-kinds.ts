/** Where config providers look: the environment, properties files, and directories with a file for each value. */
import { readFile, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, normalize, sep } from 'node:path'
import { parseProperties } from './properties.ts'

/** Secrets are small; what is larger was meant for something else. */
const maxFileBytes = 1024 * 1024

/** @throws Error that says why there is no value, and holds none */
export function readEnvironmentKey(
  env: Readonly<Record<string, string | undefined>>,
  path: string,
  key: string,
  allowlistPattern: string | undefined,
): string {
  if (path !== '') throw new Error('a reference to an environment variable has no path')
  if (allowlistPattern !== undefined && !new RegExp(`^(?:${allowlistPattern})$`).test(key)) {
    throw new Error(`the worker's allowlist.pattern does not allow environment variable ${key}`)
  }
  const value = env[key]
  if (value === undefined) throw new Error(`environment variable ${key} is not set for this worker`)
  return value
}

/** @throws as {@link readEnvironmentKey} */
export async function readPropertiesKey(
  path: string,
  key: string,
  allowedPaths: readonly string[] | undefined,
): Promise<string> {
  const text = await readText(path, allowedPaths)
  let properties: Record<string, string>
  try {
    properties = parseProperties(text)
  } catch (error) {
    // It names a line, and nothing that is in it.
    throw new Error(`${path} is no properties file: ${(error as Error).message}`, { cause: error })
  }
  if (!Object.hasOwn(properties, key)) throw new Error(`${path} has no key ${key}`)
  return properties[key]!
}

/** @throws as {@link readEnvironmentKey} */
export async function readDirectoryKey(
  path: string,
  key: string,
  allowedPaths: readonly string[] | undefined,
): Promise<string> {
  if (path === '') throw new Error('expected ${provider:/directory:file}')
  if (key === '' || key === '.' || key === '..' || key.includes('/') || key.includes('\\')) {
    throw new Error(`'${key}' is not the name of a file in a directory`)
  }
  return readText(join(path, key), allowedPaths)
}

async function readText(path: string, allowedPaths: readonly string[] | undefined): Promise<string> {
  if (path === '') throw new Error('expected ${provider:/path:key}')
  try {
    if (allowedPaths !== undefined) await requireAllowed(path, allowedPaths)
    const found = await stat(path)
    // A pipe or a device would be read for ever.
    if (!found.isFile()) throw new Error(`${path} is not a file`)
    if (found.size > maxFileBytes) throw new Error(`${path} has more than ${maxFileBytes} bytes`)
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new Error(`${path} cannot be read: ${code}`, { cause: error })
  }
}

/** As written and, unlike in Kafka, also where links lead: a link must not lead out of what is allowed. */
async function requireAllowed(path: string, allowedPaths: readonly string[]): Promise<void> {
  const refused = (): Error => new Error(`the worker's allowed.paths does not allow ${path}`)
  if (!isAbsolute(path) || !allowedPaths.some((allowed) => isWithin(normalize(path), normalize(allowed))))
    throw refused()
  const real = await realpath(path)
  const allowed = await Promise.all(allowedPaths.map((each) => realpath(each).catch(() => normalize(each))))
  if (!allowed.some((each) => isWithin(real, each))) throw refused()
}

function isWithin(path: string, folder: string): boolean {
  const prefix = folder.endsWith(sep) ? folder : folder + sep
  return path === folder || path.startsWith(prefix)
}
