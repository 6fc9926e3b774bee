/** Schema registries for tests: in this process, or as processes that can be killed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { parseRegistryConfig } from '../../core/src/config/registry-settings.ts'
import { silentLogger, type Logger } from '../../core/src/logging/logger.ts'
import { startRegistry, type RunningRegistry } from '../../core/src/main/registry.ts'
import { until } from './until.ts'

export interface RegistryAnswer {
  readonly status: number
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into answers of all shapes
  readonly body: any
  readonly headers: Headers
}

export interface AskRegistry {
  (method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<RegistryAnswer>
}

export interface TestRegistry extends RunningRegistry {
  readonly ask: AskRegistry
}

/** On a free port; resolves when it answers. */
export async function testRegistry(
  address: string,
  settings: Readonly<Record<string, string>> = {},
  logger: Logger = silentLogger,
): Promise<TestRegistry> {
  const { config, errors } = parseRegistryConfig({
    'kafkastore.bootstrap.servers': address,
    listeners: 'http://127.0.0.1:0',
    'rest.max.requests.per.second': '0',
    ...settings,
  })
  const [fault] = Object.values(errors).flat()
  if (fault !== undefined) throw new Error(fault)
  const registry = await startRegistry(config, logger)
  await registry.ready
  return { ...registry, ask: askRegistry(registry.url) }
}

/** Bodies that are text go as they are. */
export function askRegistry(url: string): AskRegistry {
  return async (method, path, body, headers = {}) => {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const type = text === undefined ? {} : { 'content-type': 'application/vnd.schemaregistry.v1+json' }
    const answer = await fetch(url + path, {
      method,
      headers: { ...type, ...headers },
      ...(text === undefined ? {} : { body: text }),
    })
    const given = await answer.text()
    return { status: answer.status, body: parsed(given), headers: answer.headers }
  }
}

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    return text
  }
}

export interface RegistryProcess {
  readonly url: string
  readonly pid: number
  readonly ask: AskRegistry
  kill(): Promise<void>
  stop(): Promise<void>
}

const tidewire = resolve(import.meta.dirname, '../../core/src/main/tidewire.mjs')

/** `tidewire registry` on this port. Resolves when it answers. */
export async function registryProcess(
  address: string,
  port: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<RegistryProcess> {
  const url = `http://127.0.0.1:${port}`
  const all = {
    'kafkastore.bootstrap.servers': address,
    listeners: url,
    'log.level': 'error',
    'rest.max.requests.per.second': '0',
    ...settings,
  }
  const flags = Object.entries(all).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  const child = spawn(process.execPath, [tidewire, 'registry', ...flags], { stdio: ['ignore', 'ignore', 'inherit'] })
  const exited = once(child, 'exit')
  const ask = askRegistry(url)
  await until(`the registry on port ${port}`, async () => {
    const answer = await ask('GET', '/subjects').catch(() => undefined)
    return answer?.status === 200
  })
  return {
    url,
    pid: child.pid!,
    ask,
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
    stop: async () => {
      child.kill('SIGTERM')
      await exited
    },
  }
}
