import { setTimeout as pause } from 'node:timers/promises'
import { Decimal, defineConfig, defineTransform, type ConnectRecord, type Transform } from '@tidewire/sdk'

const config = defineConfig({
  'records.per.second': { type: 'double', importance: 'high', doc: 'Most records a second that a task lets pass.' },
  'bytes.per.second': {
    type: 'double',
    importance: 'high',
    doc: 'Most bytes a second of keys and values, as they are held: texts by their characters, numbers as eight.',
  },
})

export const throttle = defineTransform({
  name: 'throttle',
  doc: 'Lets records pass at a rate, for each task; what is before it waits.',
  config,
  check(settings): Record<string, string> {
    const problems: Record<string, string> = {}
    for (const setting of ['records.per.second', 'bytes.per.second'] as const) {
      if ((settings[setting] ?? 1) <= 0) problems[setting] = 'is to be more than 0'
    }
    if (settings['records.per.second'] === undefined && settings['bytes.per.second'] === undefined) {
      problems['records.per.second'] = 'neither records.per.second nor bytes.per.second is set'
    }
    return problems
  },
  create: (settings, { signal }) => new Throttle(settings['records.per.second'], settings['bytes.per.second'], signal),
})

/** How far records may be ahead of their rate, so that not each waits for a timer of its own. */
const slackMs = 20
const maxTimerMs = 2 ** 31 - 1

class Throttle implements Transform {
  readonly #msPerRecord: number
  readonly #msPerByte: number
  readonly #signal: AbortSignal
  /** When all that has passed would have passed at the rate. */
  #paidUntilMs = 0

  constructor(recordsPerSecond: number | undefined, bytesPerSecond: number | undefined, signal: AbortSignal) {
    this.#msPerRecord = recordsPerSecond === undefined ? 0 : 1000 / recordsPerSecond
    this.#msPerByte = bytesPerSecond === undefined ? 0 : 1000 / bytesPerSecond
    this.#signal = signal
  }

  apply<R extends ConnectRecord>(record: R): R | Promise<R> {
    const nowMs = performance.now()
    const waitMs = this.#paidUntilMs - nowMs
    const bytes = this.#msPerByte === 0 ? 0 : sizeOf(record.key) + sizeOf(record.value)
    this.#paidUntilMs = Math.max(this.#paidUntilMs, nowMs) + Math.max(this.#msPerRecord, bytes * this.#msPerByte)
    return waitMs <= slackMs || this.#signal.aborted ? record : this.#later(record, waitMs)
  }

  /** Not longer than the task goes on: the record then passes at once. */
  async #later<R extends ConnectRecord>(record: R, waitMs: number): Promise<R> {
    try {
      // A timer that is set to more goes off at once.
      for (let left = waitMs; left > 0; left -= maxTimerMs) {
        await pause(Math.min(left, maxTimerMs), undefined, { signal: this.#signal })
      }
    } catch (error) {
      if (!this.#signal.aborted) throw error
    }
    return record
  }
}

function sizeOf(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return value.length
    case 'object':
      break
    case 'undefined':
      return 0
    default:
      return 8
  }
  if (value === null) return 0
  if (value instanceof Uint8Array) return value.length
  if (value instanceof Decimal) return 16
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + sizeOf(item), 0)
  const entries = value instanceof Map ? (value as Map<unknown, unknown>) : Object.entries(value)
  let size = 0
  for (const [name, item] of entries) size += sizeOf(name) + sizeOf(item)
  return size
}
