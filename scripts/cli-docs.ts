/**
 * Fills in the generated part of docs/cli.md: what each command says of itself with --help.
 *
 * `node scripts/cli-docs.ts` writes it, `--check` only tells whether it is stale and exits with 1.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { addCommands } from '../core/src/cli/commands.ts'
import { createProgram } from '../core/src/main/cli.ts'
import { fillIn } from './connector-docs.ts'

type Command = ReturnType<typeof createProgram>

const page = resolve(import.meta.dirname, '../docs/cli.md')
const helpWidth = 120

/** The help of every command, as Markdown. */
export function describeCommands(): string {
  const program = createProgram()
  addCommands(program)
  return [...leaves(program, [])]
    .map(([name, command]) => `### ${name}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\``)
    .join('\n\n')
}

function* leaves(command: Command, above: readonly string[]): Generator<[string, Command]> {
  const names = [...above, command.name()]
  const below = command
    .createHelp()
    .visibleCommands(command)
    .filter((each) => each.name() !== 'help')
  if (below.length === 0) yield [names.slice(1).join(' '), command]
  for (const each of below) yield* leaves(each, names)
}

function helpOf(command: Command): string {
  let help = ''
  command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => helpWidth })
  command.outputHelp()
  return help.trim().replaceAll(/[ \t]+$/gm, '')
}

async function main(check: boolean): Promise<void> {
  const before = await readFile(page, 'utf8')
  const { text } = await fillIn(before, async (name) => (name === 'commands' ? describeCommands() : undefined))
  if (text === before) return
  if (!check) return writeFile(page, text)
  console.error('docs/cli.md is stale: npm run docs')
  process.exitCode = 1
}

if (import.meta.main) await main(process.argv.includes('--check'))
