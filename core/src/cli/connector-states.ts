import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectorStatus } from '../rest-client/operations.ts'
import { RestClientError, type RestClient } from '../rest-client/rest-client.ts'
import { CliError } from './cli-error.ts'
import type { Output } from './output.ts'

export interface WaitOptions {
  /** How long to wait for the state; undefined: not at all. */
  readonly waitMs?: number | undefined
}

type Wanted = 'RUNNING' | 'PAUSED' | 'STOPPED'

const firstPauseMs = 50
const maxPauseMs = 1_000

/**
 * Waits until the connector, which there is, and all its tasks have the state; one that is to run has a task at least.
 * @throws CliError as soon as something of it has failed, or when the time is over, with what it was last
 */
export async function awaitState(
  rest: RestClient,
  out: Output,
  name: string,
  wanted: Wanted,
  waitMs: number,
): Promise<void> {
  const deadline = performance.now() + waitMs
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
    const status = await statusOf(rest, name)
    const parts = status === undefined ? [] : [status.connector, ...status.tasks]
    const why = parts.find(({ trace }) => trace !== undefined)?.trace?.split('\n')[0]
    if (wanted !== 'STOPPED' && parts.some(({ state }) => state === 'FAILED')) {
      throw new CliError(`connector ${name} failed: ${why ?? 'no reason given'}`)
    }
    if (status !== undefined && hasReached(status, wanted)) return
    const seen = status === undefined ? 'new' : statesOf(status)
    if (performance.now() >= deadline) {
      const more = why === undefined ? '' : `: ${why}`
      throw new CliError(`connector ${name} is not ${wanted} after ${waitMs / 1000} s: it is ${seen}${more}`)
    }
    out.progress(`waiting for ${name} to be ${wanted}: ${seen}`)
    await sleep(pauseMs)
  }
}

/** Of a connector that was given another config: one that is paused or stopped stays so. */
export async function stateToKeep(rest: RestClient, name: string): Promise<Wanted> {
  const state = (await statusOf(rest, name))?.connector.state
  return state === 'PAUSED' || state === 'STOPPED' ? state : 'RUNNING'
}

/** Kafka Connect has none of a connector that is very new. */
async function statusOf(rest: RestClient, name: string): Promise<ConnectorStatus | undefined> {
  try {
    return await rest.call('GET /connectors/{name}/status', { path: { name } })
  } catch (error) {
    if (error instanceof RestClientError && error.status === 404) return undefined
    throw error
  }
}

function hasReached({ connector, tasks }: ConnectorStatus, wanted: Wanted): boolean {
  if (wanted === 'STOPPED' || connector.state !== wanted) return connector.state === wanted
  return tasks.every(({ state }) => state === wanted) && (wanted !== 'RUNNING' || tasks.length > 0)
}

function statesOf({ connector, tasks }: ConnectorStatus): string {
  return `${connector.state}, tasks ${tasks.map(({ state }) => state).join(', ') || 'none'}`
}
