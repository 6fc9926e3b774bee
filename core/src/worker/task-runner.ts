import type { Wait } from './waits.ts'

/** What the host of tasks sees of a task's run loop, be it a source's or a sink's. */
export interface TaskRunner {
  /**
   * The whole life of the task: resolves after {@link stop}, rejects when the task fails.
   * `onRunning` is called when its own code has started.
   */
  run(onRunning: () => void): Promise<void>
  /** What the task has to do that does not get on; undefined while it gets on, or has nothing to do. */
  waitsFor(): Wait | undefined
  pause(): void
  resume(): void
  /**
   * Ends the task in order, within the time; what has not ended then is cut off: its log connections are closed, so
   * that nothing of it can be written any more. Resolves with whether it had to be.
   */
  stop(graceMs: number): Promise<'ended' | 'cut off'>
  /** Fails the task from outside: its code threw where nobody awaited it. */
  fail(error: unknown): void
}
