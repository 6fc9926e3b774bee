import { isErrorKind } from '@tidewire/sdk'

/** Kafka Connect's error body; `error_code` is the HTTP status. */
export interface ErrorBody {
  readonly error_code: number
  readonly message: string
}

/** An answer other than success that no error of the herder stands for. */
export class RestError extends Error {
  override readonly name = 'RestError'
  readonly statusCode: number

  constructor(statusCode: number, message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

/** The status that Kafka Connect gives for an error, with 400 where the request is at fault and Kafka Connect says 500. */
export function statusOf(error: unknown): number {
  if (isErrorKind(error, 'ConfigError')) return 400
  if (isErrorKind(error, 'NotFoundError')) return 404
  if (isErrorKind(error, 'AlreadyExistsError')) return 409
  const { statusCode } = error as { statusCode?: unknown }
  return typeof statusCode === 'number' && statusCode >= 400 ? statusCode : 500
}
