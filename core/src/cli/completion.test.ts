import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Command } from 'commander'
import { expect, test } from 'vitest'
import { addCommands } from './commands.ts'
import { complete } from './completion.ts'

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
