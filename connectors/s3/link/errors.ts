import { ConfigError, ConnectError, RetriableError } from '@tidewire/sdk'

/** Codes of the errors of the store, where they matter to someone. */
export const codes = {
  noSuchBucket: 'S3_NO_SUCH_BUCKET',
  accessDenied: 'S3_ACCESS_DENIED',
  badAccessKey: 'S3_INVALID_ACCESS_KEY',
  badSecret: 'S3_SIGNATURE_MISMATCH',
  noCredentials: 'S3_NO_CREDENTIALS',
  expiredCredentials: 'S3_EXPIRED_CREDENTIALS',
  wrongRegion: 'S3_WRONG_REGION',
  notFound: 'S3_NOT_FOUND',
  noSuchUpload: 'S3_NO_SUCH_UPLOAD',
  preconditionFailed: 'S3_PRECONDITION_FAILED',
  slowDown: 'S3_SLOW_DOWN',
  unreachable: 'S3_UNREACHABLE',
  failed: 'S3_REQUEST_FAILED',
} as const

/** What the SDK's errors have, whatever their class. */
interface ServiceError extends Error {
  readonly code?: string
  readonly Code?: string
  readonly Region?: string
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string }
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> }
}

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EHOSTDOWN',
  'EPROTO',
  'EADDRNOTAVAIL',
  'ERR_STREAM_PREMATURE_CLOSE',
])

const certificateCodes =
  /^(?:CERT_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT|UNABLE_TO_|ERR_TLS_CERT_ALTNAME_INVALID$|HOSTNAME_MISMATCH$)/

/** Errors of the store that pass, apart from 5xx and 429. */
const passing = new Set([
  'SlowDown',
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'InternalError',
  'ServiceUnavailable',
  'OperationAborted',
  'ConditionalRequestConflict',
  'TimeoutError',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
  'BandwidthLimitExceeded',
  'TooManyRequestsException',
])

/**
 * What went wrong with a request to the store, as the runtime understands it: RetriableError for what passes by itself,
 * ConfigError for what the configuration or a permission is at fault for. An error that is one of ours already, or that an
 * aborted request ended with, is given back as it is.
 * @param what what was being done, as it goes on after "…": `writing s3://bucket/key`
 */
export function problemOf(error: unknown, what: string): Error {
  if (!(error instanceof Error)) return new ConnectError(`${what}: ${String(error)}`, { code: codes.failed })
  if (error instanceof ConnectError || error.name === 'AbortError') return error
  const { name, $metadata: metadata } = error as ServiceError
  return (
    connectionProblem(error, what) ??
    credentialsProblem(error, what) ??
    placeProblem(error, what) ??
    passingProblem(error, what) ??
    new ConnectError(`${what}: ${describe(name, error.message, metadata?.httpStatusCode)}`, {
      code: namedCodes[name] ?? codes.failed,
      cause: error,
    })
  )
}

const namedCodes: Readonly<Record<string, string>> = {
  NoSuchKey: codes.notFound,
  NotFound: codes.notFound,
  NoSuchUpload: codes.noSuchUpload,
  PreconditionFailed: codes.preconditionFailed,
}

function connectionProblem(error: ServiceError, what: string): Error | undefined {
  const { code = '' } = error
  if (certificateCodes.test(code)) {
    return new ConfigError(
      `${what}: the store’s certificate is not trusted (${code}): give its authority in NODE_EXTRA_CA_CERTS, or correct store.url`,
      { code: codes.unreachable, cause: error, setting: 'store.url' },
    )
  }
  const broken = networkCodes.has(code) || /socket hang up|ECONNRE|premature|other side closed/i.test(error.message)
  if (!broken && error.name !== 'TimeoutError') return undefined
  return new RetriableError(`${what}: the store cannot be reached: ${error.message || code}`, {
    code: codes.unreachable,
    cause: error,
  })
}

function credentialsProblem(error: ServiceError, what: string): Error | undefined {
  const options = { cause: error, setting: 'aws.access.key.id' }
  switch (error.name) {
    case 'CredentialsProviderError':
    case 'TokenProviderError':
      return new ConfigError(
        `${what}: no credentials were found: set aws.access.key.id and aws.secret.access.key, or give the worker a role (${error.message})`,
        { ...options, code: codes.noCredentials },
      )
    case 'InvalidAccessKeyId':
    case 'InvalidClientTokenId':
    case 'UnrecognizedClientException':
    case 'XAdminUserNotFound': // Versity's gateway
      return new ConfigError(`${what}: the store does not know the access key`, {
        ...options,
        code: codes.badAccessKey,
      })
    case 'SignatureDoesNotMatch':
      return new ConfigError(`${what}: the secret does not belong to the access key`, {
        ...options,
        code: codes.badSecret,
        setting: 'aws.secret.access.key',
      })
    case 'ExpiredToken':
    case 'ExpiredTokenException':
    case 'TokenRefreshRequired':
    case 'InvalidToken':
      return new ConfigError(`${what}: the temporary credentials have expired: give new ones, or a role to assume`, {
        ...options,
        code: codes.expiredCredentials,
      })
    default:
      return undefined
  }
}

/** The bucket: whether it is there, where, and whether it lets one in. */
function placeProblem(error: ServiceError, what: string): Error | undefined {
  const status = error.$metadata?.httpStatusCode
  const region = error.Region ?? error.$response?.headers?.['x-amz-bucket-region']
  if (
    error.name === 'AuthorizationHeaderMalformed' ||
    error.name === 'PermanentRedirect' ||
    error.name === 'IllegalLocationConstraintException' ||
    status === 301
  ) {
    const right = region === undefined ? 'correct s3.region' : `set s3.region=${region}`
    return new ConfigError(`${what}: the bucket is in another region: ${right}`, {
      code: codes.wrongRegion,
      cause: error,
      setting: 's3.region',
    })
  }
  if (error.name === 'NoSuchBucket') {
    return new ConfigError(`${what}: there is no such bucket: make it, or correct s3.bucket.name`, {
      code: codes.noSuchBucket,
      cause: error,
      setting: 's3.bucket.name',
    })
  }
  if (status === 403 && !passing.has(error.name)) {
    const more = error.message === '' || error.message === 'UnknownError' ? '' : `: ${error.message}`
    return new ConfigError(`${what}: access denied${more}`, { code: codes.accessDenied, cause: error })
  }
  return undefined
}

function passingProblem(error: ServiceError, what: string): Error | undefined {
  const status = error.$metadata?.httpStatusCode
  if (!passing.has(error.name) && !(status !== undefined && (status >= 500 || status === 429))) return undefined
  const slow = error.name === 'SlowDown' || status === 503 || status === 429
  return new RetriableError(`${what}: ${describe(error.name, error.message, status)}`, {
    code: slow ? codes.slowDown : codes.failed,
    cause: error,
  })
}

function describe(name: string, message: string, status: number | undefined): string {
  const text = message === '' || message === name ? name : `${name}: ${message}`
  return status === undefined ? text : `${text} (HTTP ${status})`
}

/** The code of an error of {@link problemOf}; undefined for others. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof ConnectError ? error.code : undefined
}
