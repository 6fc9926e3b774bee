import type { Step } from './turns.ts'
import type { TaskCounts } from './task-activity.ts'
import type { TaskId, TaskSpec } from './task-spec.ts'

/** What a run of a task has done so far, as its thread tells it. */
export interface TaskMetrics extends TaskId, Omit<TaskCounts, 'calls'> {
  readonly type: TaskSpec['type']
  readonly calls: readonly { readonly step: Step; readonly count: number; readonly ms: number }[]
}

/** As {@link TaskMetrics}, with what its worker knows of it. */
export interface WorkerTaskMetrics extends TaskMetrics {
  /** Since it came to this worker. */
  readonly restarts: number
}

export function taskMetrics({ connector, task, type }: TaskSpec, { calls, ...counts }: TaskCounts): TaskMetrics {
  return { connector, task, type, ...counts, calls: [...calls].map(([step, called]) => ({ step, ...called })) }
}
