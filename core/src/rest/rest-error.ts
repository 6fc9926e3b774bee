import { isErrorKind, isRetriable } from '@tidewire/sdk'
import { NotLeaderError } from '../cluster/cluster.ts'
import { NoSignalsError } from '../herder/connector-signals.ts'
import { NotOwnerError } from '../herder/connector-writes.ts'

/** Kafka Connect's error body; `error_code` is the HTTP status. */
export interface ErrorBody {
  readonly error_code: number
  readonly message: string
}

/** An answer other than success that no error of the herder stands for. */
export class RestError extends Error {
  override readonly name = 'RestError'
  readonly statusCode: number
  /** Of the answer, beside those that every answer has. */
  readonly headers: Readonly<Record<string, string>>

  constructor(statusCode: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.statusCode = statusCode
    this.headers = headers
  }
}

/** Another worker can carry it out; which one may not be known yet. */
export function isElsewhere(error: unknown): error is NotLeaderError | NotOwnerError {
  return error instanceof NotLeaderError || error instanceof NotOwnerError
}

/** The status that Kafka Connect gives for an error, with 400 where the request is at fault and Kafka Connect says 500. */
export function statusOf(error: unknown): number {
  if (isErrorKind(error, 'ConfigError')) return 400
  if (isErrorKind(error, 'NotFoundError')) return 404
  if (isErrorKind(error, 'AlreadyExistsError') || error instanceof NoSignalsError) return 409
  if (isElsewhere(error) || isErrorKind(error, 'RetriableError')) return 409
  // The log is away, or its answer was not in time.
  if (isRetriable(error)) return 503
  const { statusCode } = error as { statusCode?: unknown }
  return typeof statusCode === 'number' && statusCode >= 400 ? statusCode : 500
}

/** What is told of it: Kafka Connect's words, which tools look for, where they say enough. */
export function messageFor(error: Error): string {
  if (error instanceof NotLeaderError && error.leaderUrl === undefined) {
    return 'Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.'
  }
  if (isElsewhere(error)) return 'Cannot complete request because of a conflicting operation (e.g. worker rebalance)'
  return error.message
}
