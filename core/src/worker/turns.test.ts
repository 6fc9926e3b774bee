import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { turnBuffer, turnOf } from './turns.ts'

/** Two tasks take turns in a thread of their own; then one of them stays in its turn for ever. */
function stuckThread(kind: 'promise' | 'timer' | 'immediate', slot: 1 | 2) {
  const turns = turnBuffer()
  const wait = {
    promise: 'Promise.resolve()',
    timer: 'new Promise((resolve) => setTimeout(resolve, 1))',
    immediate: 'new Promise((resolve) => setImmediate(resolve))',
  }[kind]
  const code = `
    const { workerData, parentPort } = require('node:worker_threads')
    import('${new URL('./turns.ts', import.meta.url).href}').then(({ Turns }) => {
      const { AsyncLocalStorage } = require('node:async_hooks')
      const current = new AsyncLocalStorage()
      const turns = new Turns(workerData.turns)
      turns.note(() => current.getStore())
      const run = async (task) => {
        for (let i = 0; i < 100; i++) {
          await ${wait}
          if (i === 50 && task.slot === workerData.slot) {
            parentPort.postMessage('stuck')
            for (;;);
          }
        }
      }
      for (const task of [{ slot: 1, step: 4 }, { slot: 2, step: 5 }]) current.run(task, () => run(task))
    })`
  const thread = new Worker(code, { eval: true, workerData: { turns, slot } })
  const stuck = new Promise((resolve) => thread.once('message', resolve))
  return { thread, turns, stuck }
}

describe('the turn that a thread is in', () => {
  test.each([
    ['promise', 1, 'put'],
    ['promise', 2, 'flush'],
    ['timer', 1, 'put'],
    ['timer', 2, 'flush'],
    ['immediate', 2, 'flush'],
  ] as const)('after a %s, it is that of task %i', async (kind, slot, step) => {
    const { thread, turns, stuck } = stuckThread(kind, slot)
    await stuck
    const turn = turnOf(turns)
    expect(turn).toMatchObject({ slot, step })
    expect(turnOf(turns).count).toBe(turn.count)
    await thread.terminate()
  })

  test('a buffer that nobody has written is in no task’s turn', () => {
    expect(turnOf(turnBuffer())).toEqual({ slot: 0, step: 'its own code', count: 0 })
  })
})
