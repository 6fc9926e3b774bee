/**
 * What a client of REST knows of the connectors from the answers it got. An acknowledged write has happened; one with no
 * answer, or with an answer that leaves it open, may have happened or may yet happen.
 */
import { askRest, type Answer } from '../support/ask-rest.ts'
import { nowMs } from './test-cluster.ts'

export type TargetState = 'RUNNING' | 'PAUSED' | 'STOPPED'
export type ConnectorConfig = Readonly<Record<string, string>>

/** A connector as it may be; no config: there is none of this name. */
export interface Version {
  readonly config: ConnectorConfig | undefined
  readonly target: TargetState
}

export const noConnector: Version = { config: undefined, target: 'RUNNING' }

interface Open {
  readonly version: Version
  readonly untilMs: number
}

/** So long a worker may hold on to a write whose client has gone. */
const openForMs = 100_000
/** Longer than a worker holds a write: it is to say itself what became of it. */
const answerWithinMs = 95_000

export class ConnectorsModel {
  readonly violations: string[] = []
  /** Answers so far, by status; 0 stands for none. */
  readonly answers = new Map<number, number>()
  readonly #certain = new Map<string, Version>()
  readonly #open = new Map<string, Open[]>()

  get names(): readonly string[] {
    return [...new Set([...this.#certain.keys(), ...this.#open.keys()])]
  }

  /** The last that is known of it. */
  last(name: string): Version {
    return this.#certain.get(name) ?? noConnector
  }

  /** @returns whether it was acknowledged */
  async create(url: string, name: string, config: ConnectorConfig): Promise<boolean> {
    const next: Version = { config: { ...config, name }, target: 'RUNNING' }
    return this.#write(name, next, async () => ask(url, 'POST', '/connectors', { name, config }))
  }

  async update(url: string, name: string, config: ConnectorConfig): Promise<boolean> {
    const next: Version = { config: { ...config, name }, target: this.last(name).target }
    return this.#write(name, next, async () => ask(url, 'PUT', `/connectors/${name}/config`, config))
  }

  async remove(url: string, name: string): Promise<boolean> {
    return this.#write(name, noConnector, async () => ask(url, 'DELETE', `/connectors/${name}`))
  }

  async steer(url: string, name: string, action: 'pause' | 'resume' | 'stop'): Promise<boolean> {
    const target = ({ pause: 'PAUSED', resume: 'RUNNING', stop: 'STOPPED' } as const)[action]
    return this.#write(name, { ...this.last(name), target }, async () =>
      ask(url, 'PUT', `/connectors/${name}/${action}`),
    )
  }

  /** Why this cannot be what is there, after the answers so far. */
  impossible(name: string, seen: Version): string | undefined {
    const possible = this.#possible(name)
    if (possible.some((version) => same(version, seen))) return undefined
    return `${name} is ${JSON.stringify(seen)}, and could only be ${possible.map((each) => JSON.stringify(each)).join(' or ')}`
  }

  /** This is what is there: the doubts about it, if there were any, were for nothing. */
  adopt(name: string, seen: Version): void {
    this.#certain.set(name, seen)
  }

  #possible(name: string): Version[] {
    const open = (this.#open.get(name) ?? []).filter(({ untilMs }) => untilMs > nowMs())
    this.#open.set(name, open)
    return [this.last(name), ...open.map(({ version }) => version)]
  }

  async #write(name: string, next: Version, request: () => Promise<Answer>): Promise<boolean> {
    const before = this.#possible(name)
    const answer = await request().catch((error: unknown): Answer => ({ status: 0, body: String(error) }))
    this.answers.set(answer.status, (this.answers.get(answer.status) ?? 0) + 1)
    if (answer.status >= 200 && answer.status < 300) {
      this.#certain.set(name, next)
      return true
    }
    const text = JSON.stringify(answer.body)
    if (answer.status === 404) {
      if (before.every(({ config }) => config !== undefined)) this.violations.push(`${name} was lost: ${text}`)
    } else if (answer.status === 409 && text.includes('already exists')) {
      if (before.every(({ config }) => config === undefined)) this.violations.push(`${name} came back: ${text}`)
    } else if (answer.status >= 400 && answer.status < 500 && answer.status !== 409) {
      this.violations.push(`a write to ${name} was refused: ${answer.status} ${text}`)
    } else {
      this.#open.get(name)!.push({ version: next, untilMs: nowMs() + openForMs })
    }
    return false
  }
}

async function ask(url: string, method: string, path: string, body?: unknown): Promise<Answer> {
  return askRest(url, method, path, { timeoutMs: answerWithinMs, ...(body === undefined ? {} : { body }) })
}

function same(one: Version, other: Version): boolean {
  if (one.config === undefined || other.config === undefined) return one.config === other.config
  const text = ({ config, target }: Version): string =>
    JSON.stringify([target, Object.entries(config!).sort(([a], [b]) => (a < b ? -1 : 1))])
  return text(one) === text(other)
}
