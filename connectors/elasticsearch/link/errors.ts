import { errors } from '@elastic/transport'
import { ConfigError, ConnectError, RetriableError } from '@tidewire/sdk'

/** Codes of what goes wrong with the server, whatever was asked of it. */
export const codes = {
  unreachable: 'ELASTICSEARCH_UNREACHABLE',
  timeout: 'ELASTICSEARCH_TIMEOUT',
  tls: 'ELASTICSEARCH_TLS',
  loginRefused: 'ELASTICSEARCH_LOGIN_REFUSED',
  forbidden: 'ELASTICSEARCH_FORBIDDEN',
  blocked: 'ELASTICSEARCH_BLOCKED',
  busy: 'ELASTICSEARCH_BUSY',
  unavailable: 'ELASTICSEARCH_UNAVAILABLE',
  notFound: 'ELASTICSEARCH_NOT_FOUND',
  refused: 'ELASTICSEARCH_REFUSED',
  malformedDocument: 'ELASTICSEARCH_MALFORMED_DOCUMENT',
} as const

/** An answer of the server, whatever it says. */
export interface Answer {
  readonly status: number
  /** The body as it came. */
  readonly text: string
}

/** What the server says of a failure, of a request as a whole or of an item of a bulk. */
export interface Failure {
  /** Such as `mapper_parsing_exception`; empty where the server gave none. */
  readonly type: string
  readonly reason: string
}

const maxReasonLength = 1000

/** What a body says of a failure; texts of proxies and the like are taken as they are. */
export function failureOf({ status, text }: Answer): Failure {
  try {
    const body = JSON.parse(text) as unknown
    if (isObject(body)) return failureIn(body['error'])
  } catch {
    // Not from Elasticsearch, but from what stands before it.
  }
  return { type: '', reason: text.trim() === '' ? `status ${status}` : text.trim().slice(0, maxReasonLength) }
}

/** The `error` of a body or of an item: an object, in old servers and some proxies a text. */
export function failureIn(error: unknown): Failure {
  if (typeof error === 'string') return { type: '', reason: error.slice(0, maxReasonLength) }
  if (!isObject(error)) return { type: '', reason: 'no reason was given' }
  const reason = typeof error['reason'] === 'string' ? error['reason'] : ''
  // "failed to parse" alone helps nobody: what is behind it does.
  const cause = isObject(error['caused_by']) ? failureIn(error['caused_by']).reason : ''
  return {
    type: typeof error['type'] === 'string' ? error['type'] : '',
    reason: (cause === '' || reason.includes(cause) ? reason : `${reason}: ${cause}`).slice(0, maxReasonLength),
  }
}

/** A write was refused because of the state of an index or the cluster: a disk that is full, a block that somebody set. */
function isBlock(type: string): boolean {
  return type === 'cluster_block_exception' || type === 'index_closed_exception'
}

/** Whether an answer of this status may be another one later, with nothing changed. */
export function isPassingStatus(status: number, type: string): boolean {
  return status === 408 || status === 429 || status >= 500 || isBlock(type)
}

/** What an answer that is no success means for a task. `what` says what was tried: `writing to index orders`. */
export function problemOfAnswer(answer: Answer, what: string): ConnectError {
  const failure = failureOf(answer)
  return problemOfFailure(answer.status, failure, what)
}

export function problemOfFailure(status: number, { type, reason }: Failure, what: string): ConnectError {
  const message = `${what}: ${type === '' ? '' : `${type}: `}${reason} (status ${status})`
  if (isBlock(type)) {
    const hint = 'Free disk space or lift the block of the index; until then it is tried again'
    return new RetriableError(`${message}. ${hint}`, { code: codes.blocked })
  }
  if (isPassingStatus(status, type)) {
    return new RetriableError(message, { code: status === 429 ? codes.busy : codes.unavailable })
  }
  switch (status) {
    case 401:
      return new ConfigError(`${message}. Check connection.username and connection.password, or connection.api.key`, {
        code: codes.loginRefused,
      })
    case 403:
      return new ConfigError(`${message}. Give this user a role with the privileges that are named, or another user`, {
        code: codes.forbidden,
      })
    case 404:
      return new ConnectError(message, { code: codes.notFound })
    default:
      return new ConnectError(message, { code: codes.refused })
  }
}

/** What it means for a task that there was no answer. */
export function problemOf(error: unknown, what: string): ConnectError {
  if (error instanceof ConnectError) return error
  const message = error instanceof Error && error.message !== '' ? error.message : 'the connection was refused'
  if (error instanceof errors.TimeoutError) {
    return new RetriableError(`${what}: no answer in time (read.timeout.ms)`, { code: codes.timeout, cause: error })
  }
  if (isCertificateProblem(message)) {
    const hint = 'Check elastic.https.ssl.truststore.location and the host name in connection.url'
    return new ConfigError(`${what}: ${message}. ${hint}`, { code: codes.tls, cause: error })
  }
  return new RetriableError(`${what}: ${message}`, { code: codes.unreachable, cause: error })
}

/** The client gives no more of a cause than its text. */
function isCertificateProblem(message: string): boolean {
  return /certificate|altnames|wrong version number|unsupported protocol|mac verify failure|bad decrypt/i.test(message)
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
