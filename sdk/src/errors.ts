/** Details of a {@link ConnectError} beside its message. */
export interface ErrorOptions {
  /** A stable, machine-readable name of the cause, in capitals: `MQTT_NOT_AUTHORIZED`. */
  code?: string
  cause?: unknown
}

/**
 * What a connector throws. Its kind tells the runtime what to do; any other error fails the task with its stack as
 * the trace. Say in the message what happened to what, and what to do next; never put a secret in it.
 */
export class ConnectError extends Error {
  override readonly name: string = 'ConnectError'
  readonly code: string
  /** Whether the same call may succeed later with nothing changed. */
  readonly retriable: boolean = false

  constructor(message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = options.code ?? 'CONNECT_ERROR'
  }
}

/** A passing fault: the runtime repeats the call after a pause, for a sink with the same records. */
export class RetriableError extends ConnectError {
  override readonly name: string = 'RetriableError'
  override readonly retriable = true
}

/** This record's contents cannot be dealt with: it follows `errors.tolerance` (skip, dead letter queue, or fail). */
export class DataError extends ConnectError {
  override readonly name: string = 'DataError'
}

/** The configuration cannot work as it is: the task fails and is not restarted until the config changes. */
export class ConfigError extends ConnectError {
  override readonly name: string = 'ConfigError'
  /** The setting at fault, where it is one. */
  readonly setting: string | undefined

  constructor(message: string, options: ErrorOptions & { setting?: string } = {}) {
    super(message, options)
    this.setting = options.setting
  }
}

/** What was named does not exist. REST answers 404. */
export class NotFoundError extends ConnectError {
  override readonly name: string = 'NotFoundError'
}

/** What was to be made exists. REST answers 409. */
export class AlreadyExistsError extends ConnectError {
  override readonly name: string = 'AlreadyExistsError'
}

/**
 * Whether repeating the call may help. Goes by the field, not the class, so that an error from another copy of the
 * SDK, or one that crossed a thread, is recognised too.
 */
export function isRetriable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'retriable' in error && error.retriable === true
}

/** Whether the error is of the named kind, by its `name` field (see {@link isRetriable}). */
export function isErrorKind(
  error: unknown,
  kind: 'RetriableError' | 'DataError' | 'ConfigError' | 'NotFoundError' | 'AlreadyExistsError',
): error is ConnectError {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === kind
}
