/** Set up for each file of tests: a timer that is given a negative time, or one too long for it, fails the file. */
import { createRequire } from 'node:module'
import { afterAll, expect } from 'vitest'

interface RequestQueue {
  readonly throttledUntil: number
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests: (this: RequestQueue) => void
}

// kafkajs, with nothing under way, sets a timer by a time that stands for "never". Node tells of the first such timer of a
// process only, so that would hide ours.
const queue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as { readonly prototype: RequestQueue }
const { scheduleCheckPendingRequests: schedule } = queue.prototype
queue.prototype.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this)
}

const warnings: string[] = []
process.on('warning', ({ name, stack }) => {
  if (/^Timeout\w+Warning$/.test(name)) warnings.push(stack ?? name)
})
afterAll(() => expect(warnings).toEqual([]))
