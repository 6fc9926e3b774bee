/** Transactional ids: whoever writes under one fences whoever wrote under it before. */
import type { TaskId } from './task-spec.ts'

/** Of a source task, as in Kafka Connect (KIP-618). */
export function taskTransactionalId(groupId: string, { connector, task }: TaskId): string {
  return `${groupId}-${connector}-${task}`
}

/** Of all re-drives of a connector. No task's: those end in a number. */
export function redriveTransactionalId(groupId: string, connector: string): string {
  return `${groupId}-${connector}-redrive`
}
