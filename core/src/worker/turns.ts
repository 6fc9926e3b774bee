/**
 * Whose code a thread runs at this moment, in shared memory: the main thread reads it when the thread is stuck or gone,
 * and can name the task. Each callback, timer and continuation of a promise begins a turn; it is put down to the task
 * that it descends from.
 */
import { createHook } from 'node:async_hooks'
import { promiseHooks } from 'node:v8'

/** What of a task's code can be under way, as messages name it. */
export const steps = [
  'its own code',
  'start',
  'next',
  'convert',
  'put',
  'flush',
  'open',
  'close',
  'stop',
  'durable',
] as const

export type Step = (typeof steps)[number]

const slotAt = 0
const stepAt = 1
const countAt = 2

export function turnBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT)
}

/** The side of the thread itself. Plain stores: whoever is stuck has made them long ago. */
export class Turns {
  readonly #view: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.#view = new Int32Array(buffer)
  }

  /**
   * From now on every turn is noted. It costs some 80 ns a turn; a turn takes a batch of records.
   * @param current the task that the running code descends from
   */
  note(current: () => { readonly slot: number; readonly step: number } | undefined): void {
    const view = this.#view
    const before = (): void => {
      const task = current()
      view[slotAt] = task === undefined ? 0 : task.slot
      view[stepAt] = task === undefined ? 0 : task.step
      view[countAt] = (view[countAt]! + 1) | 0
    }
    createHook({ before, trackPromises: false }).enable()
    // Half the price of the same by createHook.
    promiseHooks.onBefore(before)
  }

  /** Within a turn, the task goes on to another step. */
  step(slot: number, step: number): void {
    this.#view[slotAt] = slot
    this.#view[stepAt] = step
  }
}

export interface Turn {
  /** 0: no task's. */
  readonly slot: number
  readonly step: Step
  /** Changes with every turn. */
  readonly count: number
}

/** The side of the main thread: the turn that the thread is in, or was when it ended. */
export function turnOf(buffer: SharedArrayBuffer): Turn {
  const view = new Int32Array(buffer)
  const [slot, step, count] = [slotAt, stepAt, countAt].map((at) => Atomics.load(view, at)) as [number, number, number]
  return { slot, step: steps[step] ?? steps[0], count }
}
