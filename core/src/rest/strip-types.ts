/** `node strip-types.ts <file> …`: prints the files without their types, as JSON by path. See console-files.ts. */
import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'

const stripped = await Promise.all(
  process.argv.slice(2).map(async (path) => [path, stripTypeScriptTypes(await readFile(path, 'utf8'))] as const),
)
process.stdout.write(JSON.stringify(Object.fromEntries(stripped)))
