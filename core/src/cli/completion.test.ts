import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile, chmod } from 'node:fs/promises'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { Command } from 'commander'
import { expect, test } from 'vitest'
import { addCommands } from './commands.ts'
import { complete, completionScript } from './completion.ts'

const run = promisify(execFile)

function program(): Command {
  const made = new Command('tidewire')
  addCommands(made)
  return made
}

test.each([
  [
    ['connector', 're'],
    ['restart', 'resume'],
  ],
  [
    ['connector', 'dlq', ''],
    ['help', 'list', 'redrive'],
  ],
  [
    ['topic', 'tail', '--f'],
    ['--follow', '--from'],
  ],
  [
    ['topic', 'tail', '-o', ''],
    ['json', 'table'],
  ],
  [['topic', 'tail', '-n', '1'], []],
  [
    ['completion', ''],
    ['bash', 'fish', 'zsh'],
  ],
  [['connector', 'create', ''], []],
  [['nonsense', ''], expect.arrayContaining(['connector', 'topic'])],
])('%j', async (words, expected) => {
  expect(await complete(program(), words)).toEqual(expected)
})

test('what is hidden stays so', async () => {
  expect(await complete(program(), ['comp'])).toEqual(['completion'])
})

test('names of connectors come from the worker that the command line names', async () => {
  const server = createServer((_, response) => response.end('["orders","other","invoices"]')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  expect(await complete(program(), ['connector', 'describe', '--url', url, 'o'])).toEqual(['orders', 'other'])
  expect(await complete(program(), ['connector', 'pause', '--url', url, 'orders', 'i'])).toEqual(['invoices'])
  server.close()
  expect(await complete(program(), ['connector', 'describe', '--url', url, 'o'])).toEqual([])
})

test('bash asks the program, with what stands left of the cursor', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'completion-'))
  const fake = join(folder, 'tidewire')
  await writeFile(fake, '#!/bin/sh\nprintf "%s\\n" "[$*]" two\n')
  await chmod(fake, 0o755)
  const script = `${completionScript('bash')}
COMP_WORDS=(tidewire connector desc more); COMP_CWORD=2
_tidewire
printf '%s\\n' "\${COMPREPLY[@]}"`
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env['PATH'] ?? ''}` }
  const { stdout } = await run('bash', ['-c', script], { env })
  expect(stdout).toBe('[complete -- connector desc]\ntwo\n')
  await rm(folder, { recursive: true })
})
