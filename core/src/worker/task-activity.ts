import type { Wait } from './waits.ts'
import { steps, type Step, type Turns } from './turns.ts'

/** A call into a task's code that has not returned. */
interface CallUnderWay {
  readonly step: Step
  /** Milliseconds since the epoch. */
  readonly since: number
  /** The same on a clock that only goes forward. */
  readonly began: number
}

/** What a run of a task has done so far. */
export interface TaskCounts {
  /** Of a source: records that it gave, and that the log has taken. */
  polled: number
  written: number
  /** Of a sink: records that were read for it, and that its `put` has accepted. */
  read: number
  put: number
  /** Calls into its code that have returned, and how long they took. */
  readonly calls: Map<Step, { count: number; ms: number }>
}

/** What of a task's own code is under way. The thread's turns are told of it, so that it can be named from outside. */
export class TaskActivity {
  /** The task's number in its thread. */
  readonly slot: number
  /** Index of the call that was begun last. */
  step = 0
  readonly #turns: Pick<Turns, 'step'>
  readonly #calls: CallUnderWay[] = []
  readonly counts: TaskCounts = { polled: 0, written: 0, read: 0, put: 0, calls: new Map() }

  constructor(slot: number, turns: Pick<Turns, 'step'>) {
    this.slot = slot
    this.#turns = turns
  }

  /** Calls into the task's code. What it answers at once is not waited for. */
  call<T>(step: Step, work: () => T): T {
    const call = this.#begin(step)
    let answer: T
    try {
      answer = work()
    } catch (error) {
      this.#end(call)
      throw error
    }
    if (!(answer instanceof Promise)) {
      this.#end(call)
      return answer
    }
    return answer.finally(() => this.#end(call)) as T
  }

  /** The oldest call under way, of those that are to return soon: a source may take its time to have a next batch. */
  get slowest(): Wait | undefined {
    const call = this.#calls.find(({ step }) => step !== 'next')
    return call && { kind: call.step, what: `${call.step} has not returned`, since: call.since }
  }

  #begin(step: Step): CallUnderWay {
    const call = { step, since: Date.now(), began: performance.now() }
    this.#calls.push(call)
    this.#note()
    return call
  }

  #end(call: CallUnderWay): void {
    this.#calls.splice(this.#calls.indexOf(call), 1)
    let counted = this.counts.calls.get(call.step)
    if (counted === undefined) this.counts.calls.set(call.step, (counted = { count: 0, ms: 0 }))
    counted.count++
    counted.ms += performance.now() - call.began
    this.#note()
  }

  #note(): void {
    const last = this.#calls.at(-1)
    this.step = last === undefined ? 0 : steps.indexOf(last.step)
    this.#turns.step(this.slot, this.step)
  }
}

/** For runners outside of a host thread. */
export function unwatchedActivity(): TaskActivity {
  return new TaskActivity(0, { step: () => undefined })
}
