/** Reads the journal that all task instances write, and sees whether one task ever ran twice at a time. */
import { LineFollower } from './line-follower.ts'
import type { Suspicion } from './test-cluster.ts'

export interface JournalLine {
  readonly event: 'start' | 'give' | 'open' | 'put' | 'flush' | 'close' | 'intruded' | 'stop'
  readonly connector: string
  readonly task: number
  readonly instance: string
  readonly pid: number
  readonly atMs: number
}

interface Instance {
  readonly name: string
  readonly pid: number
  /** When the next instance of its task started. */
  succeededMs: number | undefined
}

/** What changes something outside; to be alive is no such thing. */
const writes: ReadonlySet<JournalLine['event']> = new Set(['put', 'flush', 'intruded'])

export class JournalJudge {
  readonly violations: string[] = []
  /** Instances started so far. */
  starts = 0
  readonly #follower: LineFollower
  readonly #suspicions: readonly Suspicion[]
  readonly #tasks = new Map<string, Map<string, Instance>>()

  /** @param suspicions a process that ran on without knowing that it was succeeded may do so, but it may not write */
  constructor(file: string, suspicions: readonly Suspicion[]) {
    this.#follower = new LineFollower(file)
    this.#suspicions = suspicions
  }

  async look(): Promise<void> {
    for (const line of await this.#follower.next()) this.take(JSON.parse(line) as JournalLine)
  }

  /** Lines come in the order in which they were written. */
  take(line: JournalLine): void {
    const { event, connector, task, pid, atMs } = line
    const key = `${connector}-${task}`
    const instances = this.#tasks.get(key) ?? new Map<string, Instance>()
    this.#tasks.set(key, instances)
    if (event === 'start') {
      this.starts++
      for (const earlier of instances.values()) earlier.succeededMs ??= atMs
      instances.set(line.instance, { name: line.instance, pid, succeededMs: undefined })
      return
    }
    if (event === 'intruded') this.#report(line, 'found that somebody else wrote where it writes')
    const instance = instances.get(line.instance)
    if (instance === undefined) this.#report(line, 'never started')
    else if (instance.succeededMs !== undefined) {
      const { succeededMs } = instance
      if (writes.has(event))
        this.#report(line, `wrote ${(atMs - succeededMs).toFixed(0)} ms after its successor started`)
      else if (!this.#isSuspect(pid, succeededMs))
        this.#report(line, `was there ${(atMs - succeededMs).toFixed(0)} ms after its successor started`)
    }
  }

  #isSuspect(pid: number, atMs: number): boolean {
    return this.#suspicions.some((each) => each.pid === pid && each.fromMs <= atMs && atMs <= each.untilMs)
  }

  #report({ event, connector, task, instance, atMs }: JournalLine, what: string): void {
    this.violations.push(`${connector}-${task}, ${instance}, ${event} at ${atMs}: ${what}`)
  }
}
