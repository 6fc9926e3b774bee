/**
 * Fills in the generated part of docs/protocol.md from the declarations in core/src/protocol.
 *
 * `node scripts/protocol-docs.ts` writes it, `--check` only tells whether it is stale and exits with 1.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { apis } from '../core/src/protocol/apis.ts'
import { fillIn } from './connector-docs.ts'

const page = resolve(import.meta.dirname, '../docs/protocol.md')

const range = ([first, last]: readonly [number, number]): string => (first === last ? `${first}` : `${first}–${last}`)

/** The APIs with their versions, as a Markdown table. */
export function describeApis(): string {
  const rows = apis.map(({ key, name, versions, flexible }) => {
    const since = flexible > versions[1] ? '–' : String(flexible)
    return `| ${key} | ${name} | ${range(versions)} | ${since} |`
  })
  return ['| Key | API | Versions | Flexible from |', '| --: | --- | --- | --- |', ...rows].join('\n')
}

async function main(check: boolean): Promise<void> {
  const before = await readFile(page, 'utf8')
  const { text } = await fillIn(before, async (name) => (name === 'apis' ? describeApis() : undefined))
  if (text === before) return
  if (!check) return writeFile(page, text)
  console.error('docs/protocol.md is stale: node scripts/protocol-docs.ts')
  process.exitCode = 1
}

if (import.meta.main) await main(process.argv.includes('--check'))
