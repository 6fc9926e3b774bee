import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CliError, exitCodes } from './cli-error.ts'

/** core/templates: a source, a sink and a transform, each complete and tested as it stands there. */
const templates = resolve(import.meta.dirname, '../../templates')
/** The names in a template that stand for the new one's. */
const placeholder = { source: 'example-source', sink: 'example-sink', transform: 'example-transform' } as const

type Kind = keyof typeof placeholder

export interface NewPluginOptions {
  readonly type: Kind
  /** Default: one of its name. */
  readonly folder?: string | undefined
}

/**
 * `new connector`, `new transform`: a package with one that works and a test that passes, with nothing to install.
 * @returns what to do next
 * @throws CliError where the name will not do, or the folder has something in it
 */
export async function newPlugin(name: string, { type, folder = name }: NewPluginOptions): Promise<string> {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    const what = type === 'transform' ? type : 'connector'
    throw new CliError(`${name}: a ${what}'s name has small letters, digits and hyphens`, exitCodes.usage)
  }
  const target = resolve(folder)
  await mkdir(target, { recursive: true })
  if ((await readdir(target)).length > 0) throw new CliError(`${folder} is not empty: give another with --folder`)

  const sdk = dirname(dirname(fileURLToPath(import.meta.resolve('@tidewire/sdk'))))
  const example = placeholder[type]
  const names = { [example]: name, [camelCase(example)]: identifierOf(name, type), 'file:sdk': `file:${sdk}` }
  const source = join(templates, type)
  for (const file of await readdir(source)) {
    let text = await readFile(join(source, file), 'utf8')
    for (const [from, to] of Object.entries(names)) text = text.replaceAll(from, to)
    await writeFile(join(target, file), text)
  }
  await writeFile(join(target, '.gitignore'), 'node_modules\n')
  // What npm install would make of the dependency: the tests run at once.
  await mkdir(join(target, 'node_modules/@tidewire'), { recursive: true })
  await symlink(sdk, join(target, 'node_modules/@tidewire/sdk'), 'junction')

  const where = relative(process.cwd(), target) || '.'
  return [
    `${where} has the ${type} ${name}, which works as it is. Try next:`,
    `  cd ${where} && npm test`,
    `  tidewire start --set plugin.path=${target}`,
    `  tidewire connector preview ${join(where, 'example.json')}`,
  ].join('\n')
}

/** Ends in what it is: no word of the language, and no name that the template has, does. */
function identifierOf(name: string, type: Kind): string {
  return camelCase(name.endsWith(`-${type}`) ? name : `${name}-${type}`)
}

function camelCase(name: string): string {
  return name.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
