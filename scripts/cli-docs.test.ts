import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { exitCodes } from '../core/src/cli/cli-error.ts'
import { describeCommands } from './cli-docs.ts'

const page = await readFile(resolve(import.meta.dirname, '../docs/cli.md'), 'utf8')

test('docs/cli.md has the help of every command, as it is now', () => {
  const commands = describeCommands()
  for (const name of ['start', 'standalone', 'connector dlq redrive', 'topic tail', 'completion']) {
    expect(commands).toContain(`### ${name}\n`)
  }
  expect(commands).not.toContain('### complete\n')
  expect(page).toContain(commands)
})

test('docs/cli.md has every exit code', () => {
  const documented = [...page.matchAll(/^\| (\d) \|/gm)].map(([, code]) => Number(code))
  expect(documented).toEqual(Object.values(exitCodes))
})
