/** A worker in this process, and its REST API as a client sees it. */
import { parseWorkerConfig } from '../../core/src/config/worker-settings.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'
import { startWorker, type RunningWorker } from '../../core/src/main/worker.ts'
import { askRest, type Answer } from './ask-rest.ts'
import { until } from './until.ts'

interface Status {
  readonly connector: { readonly state: string; readonly worker_id: string; readonly trace?: string }
  readonly tasks: readonly { readonly id: number; readonly state: string; readonly trace?: string }[]
  readonly type: string
}

export interface TestWorker extends RunningWorker {
  ask(method: string, path: string, body?: unknown): Promise<Answer>
  /** Creates or changes a connector, and expects that to be accepted. */
  deploy(name: string, config: Readonly<Record<string, string>>): Promise<void>
  status(name: string): Promise<Status>
  /** Waits until the connector has this state, and as many tasks as given have it too. */
  reaches(name: string, state: string, tasks?: number): Promise<Status>
}

/** A worker on a free port, on the log at `address`. */
export async function testWorker(
  address: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<TestWorker> {
  const parsed = parseWorkerConfig({
    'bootstrap.servers': address,
    listeners: 'http://127.0.0.1:0',
    'value.converter.schemas.enable': 'false',
    'key.converter.schemas.enable': 'false',
    'offset.flush.interval.ms': '200',
    // So soon do workers hear of each other.
    'heartbeat.interval.ms': '500',
    ...settings,
  })
  const worker = await startWorker(parsed, silentLogger)
  const client = restClient(worker.url)
  return { ...worker, ...client }
}

/** Asks a worker's REST API. */
export function restClient(url: string): Omit<TestWorker, keyof RunningWorker> {
  const ask: TestWorker['ask'] = async (method, path, body) => askRest(url, method, path, { body })
  const status = async (name: string): Promise<Status> => {
    const answer = await ask('GET', `/connectors/${encodeURIComponent(name)}/status`)
    if (answer.status !== 200) throw new Error(`status of ${name}: ${JSON.stringify(answer)}`)
    return answer.body as Status
  }
  return {
    ask,
    status,
    deploy: async (name, config) => {
      const answer = await ask('PUT', `/connectors/${encodeURIComponent(name)}/config`, config)
      if (answer.status > 201) throw new Error(`deploying ${name}: ${JSON.stringify(answer)}`)
    },
    reaches: async (name, state, tasks = 0) => {
      let seen: Status | undefined
      try {
        return await until(`${name} ${state}`, async () => {
          const { status: code, body } = await ask('GET', `/connectors/${encodeURIComponent(name)}/status`)
          // What another worker was told is not known to all at once.
          if (code === 404) return undefined
          if (code !== 200) throw new Error(`status of ${name}: ${JSON.stringify({ code, body })}`)
          seen = body as Status
          const settled = seen.tasks.filter((task) => task.state === state).length >= tasks
          return seen.connector.state === state && settled ? seen : undefined
        })
      } catch (error) {
        throw new Error(`${(error as Error).message}; last seen ${JSON.stringify(seen)}`, { cause: error })
      }
    },
  }
}
