import { messageOf } from '../logging/message-of.ts'

/** Kafka's names of the errors that the storage answers with. The broker maps them to codes. */
export type StorageErrorCode =
  | 'CORRUPT_MESSAGE'
  | 'DUPLICATE_SEQUENCE_NUMBER'
  | 'INVALID_CONFIG'
  | 'INVALID_PARTITIONS'
  | 'INVALID_PRODUCER_EPOCH'
  | 'INVALID_RECORD'
  | 'INVALID_TIMESTAMP'
  | 'INVALID_TOPIC_EXCEPTION'
  | 'INVALID_TXN_STATE'
  | 'KAFKA_STORAGE_ERROR'
  | 'MESSAGE_TOO_LARGE'
  | 'OFFSET_OUT_OF_RANGE'
  | 'OUT_OF_ORDER_SEQUENCE_NUMBER'
  | 'POLICY_VIOLATION'
  | 'RECORD_LIST_TOO_LARGE'
  | 'TOPIC_ALREADY_EXISTS'
  | 'TRANSACTION_COORDINATOR_FENCED'
  | 'UNKNOWN_TOPIC_OR_PARTITION'
  | 'UNSUPPORTED_COMPRESSION_TYPE'
  | 'UNSUPPORTED_FOR_MESSAGE_FORMAT'

/** An operation that the storage refused or could not complete. */
export class LogStorageError extends Error {
  override readonly name = 'LogStorageError'
  readonly code: StorageErrorCode

  constructor(code: StorageErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** A data directory that cannot be made or opened: of a newer format, in use by another process, or not readable. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError'
}

/** What failed in the file system, or an error of ours as it is. */
export function storageError(what: string, cause: unknown): LogStorageError {
  if (cause instanceof LogStorageError) return cause
  const why = messageOf(cause)
  return new LogStorageError('KAFKA_STORAGE_ERROR', `${what}: ${why}`, { cause })
}
