import { LogStorageError } from '../log/errors.ts'
import type { Logger } from '../logging/logger.ts'
import { UsersFileError } from './sasl/users-file.ts'
import { ProtocolError, type ErrorName } from '../protocol/errors.ts'

/** Kafka's name of an error; the handlers turn it into its code when they answer. */
export type KafkaError = ErrorName

/** A request, or one part of it, that is answered with an error of the protocol. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly code: KafkaError

  constructor(code: KafkaError, message: string) {
    super(message)
    this.code = code
  }
}

/** The error to answer with; UNKNOWN_SERVER_ERROR, and a line in the log, for what nobody foresaw. */
export function kafkaErrorOf(error: unknown, logger: Pick<Logger, 'error'>): KafkaError {
  if (error instanceof RequestError || error instanceof LogStorageError) return error.code
  if (error instanceof ProtocolError && error.code !== 'CORRUPT_FRAME') return error.code
  if (error instanceof UsersFileError) return 'KAFKA_STORAGE_ERROR'
  const reason = error instanceof Error ? error.stack : String(error)
  logger.error('A request failed unforeseen', { error: reason })
  return 'UNKNOWN_SERVER_ERROR'
}

/** Text for the client beside the error code; nothing of what nobody foresaw. */
export function errorMessageOf(error: unknown): string | null {
  const isForeseen = [RequestError, LogStorageError, ProtocolError, UsersFileError].some(
    (kind) => error instanceof kind,
  )
  return isForeseen ? (error as Error).message : null
}
