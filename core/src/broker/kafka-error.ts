import { LogStorageError } from '../log/errors.ts'
import type { Logger } from '../logging/logger.ts'
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
  const reason = error instanceof Error ? error.stack : String(error)
  logger.error('A request failed unforeseen', { error: reason })
  return 'UNKNOWN_SERVER_ERROR'
}

/** Text for the client beside the error code; nothing of what nobody foresaw. */
export function errorMessageOf(error: unknown): string | null {
  const isForeseen = error instanceof RequestError || error instanceof LogStorageError || error instanceof ProtocolError
  return isForeseen ? error.message : null
}
