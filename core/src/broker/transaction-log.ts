/** The records of `__transaction_state`, in Kafka's format: one a transactional id, with all that is known of it. */
import { decodeVersioned, encodeVersioned } from '../protocol/codec.ts'
import { transactionLogKey, transactionLogValue } from '../protocol/messages/transaction-state.ts'
import type { StateRecord } from './internal-topic.ts'

/** By their number in the log. */
const statuses = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
  'PrepareEpochFence',
] as const

export type TransactionStatus = (typeof statuses)[number]

export const transactionStatuses: readonly string[] = statuses

/** What is known of one transactional id. Never changed in place: each step makes a new one. */
export interface TransactionState {
  readonly transactionalId: string
  readonly producerId: number
  readonly producerEpoch: number
  /** The producer id before the last change of it; -1 where there is none. Lets a repeated request be answered again. */
  readonly lastProducerId: number
  /** From the decision on: the id that the producer goes on with, where its epochs are used up; -1 otherwise. */
  readonly nextProducerId: number
  /** Whether each transaction gets an epoch of its own (KIP-890, what Kafka calls transaction version 2). */
  readonly bumpsEpoch: boolean
  readonly timeoutMs: number
  readonly status: TransactionStatus
  /** Topic → partitions that the open transaction has written to. */
  readonly partitions: ReadonlyMap<string, ReadonlySet<number>>
  readonly startedAt: number
  readonly updatedAt: number
}

export function transactionRecord(state: TransactionState): StateRecord {
  const value = encodeVersioned(transactionLogValue, 1, {
    producerId: state.producerId,
    previousProducerId: state.lastProducerId,
    nextProducerId: state.nextProducerId,
    clientTransactionVersion: state.bumpsEpoch ? 2 : 0,
    producerEpoch: state.producerEpoch,
    transactionTimeoutMs: state.timeoutMs,
    transactionStatus: statuses.indexOf(state.status),
    // Kafka writes null where there cannot be any.
    transactionPartitions:
      state.status === 'Empty'
        ? null
        : [...state.partitions].map(([topic, partitions]) => ({ topic, partitionIds: [...partitions] })),
    transactionLastUpdateTimestampMs: state.updatedAt,
    transactionStartTimestampMs: state.startedAt,
  })
  return { key: transactionKey(state.transactionalId), value }
}

export function transactionTombstone(transactionalId: string): StateRecord {
  return { key: transactionKey(transactionalId), value: null }
}

function transactionKey(transactionalId: string): Buffer {
  return encodeVersioned(transactionLogKey, 0, { transactionalId })
}

/** @throws ProtocolError where the record is damaged or of a version that is not known */
export function decodeTransactionRecord(
  key: Buffer,
  value: Buffer | null,
): { transactionalId: string; state: TransactionState | null } {
  const { transactionalId } = decodeVersioned(transactionLogKey, key).value
  if (value === null) return { transactionalId, state: null }
  const decoded = decodeVersioned(transactionLogValue, value).value
  const partitions = (decoded.transactionPartitions ?? []).map(
    ({ topic, partitionIds }) => [topic, new Set(partitionIds)] as const,
  )
  const state: TransactionState = {
    transactionalId,
    producerId: decoded.producerId,
    producerEpoch: decoded.producerEpoch,
    lastProducerId: decoded.previousProducerId,
    nextProducerId: decoded.nextProducerId,
    bumpsEpoch: decoded.clientTransactionVersion >= 2,
    timeoutMs: decoded.transactionTimeoutMs,
    status: statuses[decoded.transactionStatus] ?? 'Dead',
    partitions: new Map(partitions),
    startedAt: decoded.transactionStartTimestampMs,
    updatedAt: decoded.transactionLastUpdateTimestampMs,
  }
  return { transactionalId, state }
}
