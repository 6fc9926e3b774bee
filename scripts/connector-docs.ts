/**
 * Fills in the generated parts of READMEs, each between `<!-- start: name -->` and `<!-- end: name -->`: for a connector's
 * name what its declaration says, for a path the contents of that file.
 *
 * `node scripts/connector-docs.ts` writes them, `--check` only tells which are stale and exits with 1.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { extname, join, relative, resolve } from 'node:path'
import type { Plugin, Setting } from '@tidewire/sdk'

type Connector = NonNullable<Plugin['connectors']>[number]

const root = resolve(import.meta.dirname, '..')

/** Replaces what stands between the markers. `generate` answers undefined for a name that is not ours to fill in. */
export async function fillIn(
  text: string,
  generate: (name: string) => Promise<string | undefined>,
): Promise<{ text: string; names: string[] }> {
  const names: string[] = []
  let filled = ''
  let at = 0
  for (const match of text.matchAll(/<!-- start: (.+?) -->\n[^]*?<!-- end: \1 -->/g)) {
    const name = match[1]!
    const generated = await generate(name)
    if (generated === undefined) continue
    names.push(name)
    filled += `${text.slice(at, match.index)}<!-- start: ${name} -->\n\n${generated}\n\n<!-- end: ${name} -->`
    at = match.index + match[0].length
  }
  return { text: filled + text.slice(at), names }
}

/** A connector's class names, settings, and what it refuses, as Markdown. */
export function describeConnector({ name, aliases = [], doc, config, unsupported = {} }: Connector): string {
  const also = aliases.length === 0 ? '' : `; also ${aliases.map(code).join(', ')}`
  const parts = [doc, `\`connector.class\`: ${code(name)}${also}`, ...settingsTables(config)]
  const refused = Object.entries(unsupported).map(([key, reason]) => [code(key), reason])
  if (refused.length > 0)
    parts.push(`Refused by name, since to ignore it would change the result:`, table(['setting', 'why'], refused))
  return parts.join('\n\n')
}

/** A plugin's transforms and predicates; one for keys and one for values that have the same settings are told together. */
export function describeTransforms({ transforms = [], predicates = [] }: Plugin): string {
  const together = Map.groupBy(transforms as readonly TransformPart[], ({ name, config }) =>
    transforms.some((other) => other.config === config && other.name === name.replace(/-value$/, '-key'))
      ? name.replace(/-value$/, '-key')
      : name,
  )
  const described = [...together.values()].map((parts) => describeParts('', parts))
  return [...described, ...predicates.map((part) => describeParts('Predicate ', [part as TransformPart]))].join('\n\n')
}

interface TransformPart {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly doc: string
  readonly config: Readonly<Record<string, Setting>>
}

function describeParts(what: string, parts: readonly TransformPart[]): string {
  const { doc, config } = parts[0]!
  const names = parts.map(({ name }) => code(name)).join(', ')
  const classes = parts.flatMap(({ aliases = [] }) => aliases.filter((alias) => alias.includes('.'))).map(code)
  return [
    `### ${what}${names}`,
    parts.length > 1 ? doc.replace(/ Works on the record's \w+\.$/, '') : doc,
    ...(classes.length === 0 ? [] : [`In configs of Kafka Connect: ${classes.join(', ')}.`]),
    ...settingsTables(config),
  ].join('\n\n')
}

function settingsTables(config: unknown): string[] {
  const all = Object.entries(config as Readonly<Record<string, Setting>>)
  const plugins = all.filter(([, { type }]) => type === 'class').map(([name]) => `${name}.`)
  // What stands below the name of a plugin is the plugin's, and told where that is.
  const own = all.filter(([name]) => !plugins.some((prefix) => name.startsWith(prefix)))
  const groups = Map.groupBy(own, ([, { group }]) => group)
  return [...groups].map(([group, settings]) => {
    const rows = settings.map(([key, setting]) => [code(key), typeOf(setting), defaultOf(setting), setting.doc])
    return `${group === undefined ? '' : `**${group}**\n\n`}${table(['setting', 'type', 'default', 'what it does'], rows)}`
  })
}

function typeOf({ type, enum: values, minimum, maximum }: Setting): string {
  if (values !== undefined) return `${type === 'list' ? 'list of' : 'one of'} ${values.map(code).join(', ')}`
  if (minimum !== undefined && maximum !== undefined) return `${type}, ${minimum} to ${maximum}`
  if (minimum !== undefined) return `${type}, at least ${minimum}`
  return maximum === undefined ? type : `${type}, at most ${maximum}`
}

function defaultOf({ required, default: value }: Setting): string {
  if (required === true) return '**required**'
  if (value === undefined || value === '') return ''
  return typeof value === 'object' ? value.map(code).join(', ') : code(String(value))
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

function code(text: string): string {
  return `\`${text}\``
}

async function include(path: string): Promise<string> {
  const language = { '.json': 'json', '.js': 'js', '.ts': 'ts' }[extname(path)] ?? ''
  return `\`\`\`${language}\n${(await readFile(join(root, path), 'utf8')).trimEnd()}\n\`\`\``
}

async function main(check: boolean): Promise<void> {
  const folders = (await readdir(join(root, 'connectors'))).map((folder) => join(root, 'connectors', folder))
  const problems: string[] = []
  const connectors = new Map<string, { readme: string; connector: Connector }>()
  for (const folder of folders) {
    const { default: plugin } = (await import(join(folder, 'index.ts'))) as { default: Plugin }
    for (const connector of plugin.connectors ?? []) {
      connectors.set(connector.name, { readme: join(folder, 'README.md'), connector })
    }
  }
  const { default: transforms } = (await import(join(root, 'core/src/transform/plugin.ts'))) as { default: Plugin }
  const filled = new Set<string>()
  for (const readme of [
    join(root, 'README.md'),
    join(root, 'sdk/README.md'),
    join(root, 'docs/transforms.md'),
    ...folders.map((f) => join(f, 'README.md')),
  ]) {
    const before = await readFile(readme, 'utf8').catch(() => '')
    const { text, names } = await fillIn(before, async (name) => {
      const known = connectors.get(name)
      if (known !== undefined) return describeConnector(known.connector)
      if (name === transforms.name) return describeTransforms(transforms)
      return name.includes('/') ? include(name) : undefined
    })
    for (const name of names) if (connectors.get(name)?.readme === readme) filled.add(name)
    if (text === before) continue
    if (check) problems.push(`${relative(root, readme)} is stale: run npm run docs`)
    else await writeFile(readme, text)
  }
  for (const [name, { readme }] of connectors) {
    if (!filled.has(name))
      problems.push(`${relative(root, readme)} lacks <!-- start: ${name} --> … <!-- end: ${name} -->`)
  }
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
}

if (import.meta.main) await main(process.argv.includes('--check'))
