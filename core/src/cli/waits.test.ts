import { createServer, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { drainWorker } from './cluster.ts'
import { awaitState } from './connector-states.ts'
import { redriveDeadLetters } from './dead-letters.ts'
import { Output } from './output.ts'
import { withRest } from './rest-connection.ts'

// What takes its time: each answer of the worker is given by the test.

let close = (): void => undefined
afterEach(() => close())

let printed = ''
const out = new Output({
  format: 'table',
  stdout: {
    once: () => undefined,
    write: (text) => {
      printed += text
      return true
    },
  },
  env: {},
})

/** A worker that gives these answers one after the other, and the last of them again and again. */
async function worker(...answers: readonly ((response: ServerResponse) => void)[]): Promise<string> {
  printed = ''
  let next = 0
  const server = createServer((_, response) => {
    answers[Math.min(next++, answers.length - 1)]!(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  close = () => {
    server.close()
    server.closeAllConnections()
  }
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const answer =
  (body: unknown, status = 200) =>
  (response: ServerResponse): void =>
    void response.writeHead(status).end(body === undefined ? undefined : JSON.stringify(body))

const status = (state: string, ...tasks: readonly string[]) =>
  answer({
    name: 'c',
    type: 'source',
    connector: { state, worker_id: 'w' },
    tasks: tasks.map((task, id) => ({
      id,
      state: task,
      worker_id: 'w',
      ...(task === 'RUNNING' ? {} : { trace: 'why\n at' }),
    })),
  })

async function waiting(url: string, wanted: 'RUNNING' | 'PAUSED' | 'STOPPED', waitMs = 60_000): Promise<void> {
  await withRest({ url }, out, (rest) => awaitState(rest, out, 'c', wanted, waitMs), {})
}

test('a connector runs when it has a task, and all of them run', async () => {
  const url = await worker(
    answer({ error_code: 404, message: 'No status found for connector c' }, 404),
    status('UNASSIGNED'),
    status('RUNNING'),
    status('RUNNING', 'RUNNING', 'RESTARTING'),
    status('RUNNING', 'RUNNING', 'RUNNING'),
  )
  await waiting(url, 'RUNNING')
})

test('a failure ends the wait, with its reason', async () => {
  const url = await worker(status('RUNNING', 'RESTARTING'), status('RUNNING', 'RUNNING', 'FAILED'))
  await expect(waiting(url, 'RUNNING')).rejects.toThrow('connector c failed: why')
})

test('when the time is over, what it was last is told', async () => {
  const url = await worker(status('RUNNING', 'RESTARTING'))
  await expect(waiting(url, 'RUNNING', 1)).rejects.toThrow(
    'connector c is not RUNNING after 0.001 s: it is RUNNING, tasks RESTARTING: why',
  )
})

test('one that failed can be stopped', async () => {
  await waiting(await worker(status('RUNNING', 'FAILED'), status('STOPPED')), 'STOPPED')
})

test('a drain asks again until nothing is left', async () => {
  const url = await worker(
    answer({ connectors: 1, tasks: 2 }, 202),
    answer({ connectors: 0, tasks: 1 }, 202),
    answer(undefined, 204),
  )
  await withRest({ url }, out, (rest) => drainWorker(rest, out, 60_000), {})
  expect(printed).toBe(`${url} has handed all its work over\n`)
})

test('a drain that takes too long is given up', async () => {
  const url = await worker(() => undefined)
  await expect(withRest({ url }, out, (rest) => drainWorker(rest, out, 20), {})).rejects.toThrow(
    'is not drained after 0.02 s',
  )
})

const letters = (...lines: readonly unknown[]) => answerText(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
const answerText = (text: string) => (response: ServerResponse) => void response.writeHead(200).end(text)

test.each([
  [
    'all are back',
    [
      { partition: 0, offset: 1, outcome: 'delivered' },
      { done: true, ended: 'end' },
    ],
    undefined,
  ],
  ['none were there', [{ done: true, ended: 'end' }], undefined],
  [
    'one is rejected',
    [
      { partition: 0, offset: 1, outcome: 'rejected' },
      { done: true, ended: 'end' },
    ],
    '1 letters were not put back',
  ],
  ['it failed', [{ done: true, ended: 'failed', error: 'gone' }], 'the re-drive failed: gone'],
  [
    'the worker broke off',
    [{ partition: 0, offset: 1, outcome: 'delivered' }],
    'broke off before the re-drive was over',
  ],
])('a re-drive: %s', async (_, lines, error) => {
  const url = await worker(letters(...lines))
  const redriving = withRest(
    { url },
    out,
    (rest) => redriveDeadLetters(rest, out, 'c', { letters: [], dryRun: false }),
    {},
  )
  if (error === undefined) await redriving
  else await expect(redriving).rejects.toThrow(error)
})
