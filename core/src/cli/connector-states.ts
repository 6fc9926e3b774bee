import { setTimeout as sleep } from 'node:timers/promises'
import type { RestClient } from '../rest-client/rest-client.ts'
import { CliError } from './cli-error.ts'
import type { Output } from './output.ts'

export interface WaitOptions {
  /** How long to wait for the state; undefined: not at all. */
  readonly waitMs?: number | undefined
}

const firstPauseMs = 50
const maxPauseMs = 1_000

/**
 * Waits until the connector and all its tasks have the state; one that is to run has a task at least.
 * @throws CliError as soon as something of it has failed, or when the time is over, with what it was last
 */
export async function awaitState(
  rest: RestClient,
  out: Output,
  name: string,
  wanted: 'RUNNING' | 'PAUSED' | 'STOPPED',
  waitMs: number,
): Promise<void> {
  const deadline = performance.now() + waitMs
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
    const { connector, tasks } = await rest.call('GET /connectors/{name}/status', { path: { name } })
    const states = [connector.state, ...tasks.map((task) => task.state)]
    const failed = [connector, ...tasks].find(({ state }) => state === 'FAILED')
    if (failed !== undefined && wanted !== 'STOPPED') {
      throw new CliError(`connector ${name} failed: ${failed.trace?.split('\n')[0] ?? 'no reason given'}`)
    }
    const tasksThere = wanted !== 'RUNNING' || tasks.length > 0
    const reached = wanted === 'STOPPED' ? connector.state === wanted : states.every((state) => state === wanted)
    if (reached && tasksThere) return
    const seen = `${connector.state}, tasks ${tasks.map((task) => task.state).join(', ') || 'none'}`
    if (performance.now() >= deadline) {
      const why = [connector, ...tasks].find(({ trace }) => trace !== undefined)?.trace?.split('\n')[0]
      const more = why === undefined ? '' : `: ${why}`
      throw new CliError(`connector ${name} is not ${wanted} after ${waitMs / 1000} s: it is ${seen}${more}`)
    }
    out.progress(`waiting for ${name} to be ${wanted}: ${seen}`)
    await sleep(pauseMs)
  }
}
