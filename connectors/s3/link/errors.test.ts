import { ConfigError, RetriableError } from '@tidewire/sdk'
import { expect, test } from 'vitest'
import { codeOf, codes, problemOf } from './errors.ts'

function answer(name: string, status: number | undefined, more: object = {}): Error {
  return Object.assign(new Error(name), {
    name,
    ...(status === undefined ? {} : { $metadata: { httpStatusCode: status } }),
    ...more,
  })
}

const cases: [Error, string, string, RegExp][] = [
  [answer('SlowDown', 503), 'RetriableError', codes.slowDown, /HTTP 503/],
  [answer('InternalError', 500), 'RetriableError', codes.failed, /InternalError/],
  [answer('RequestTimeTooSkewed', 403), 'RetriableError', codes.failed, /Skewed/],
  [answer('ConditionalRequestConflict', 409), 'RetriableError', codes.failed, /Conflict/],
  [answer('Error', undefined, { code: 'ECONNREFUSED' }), 'RetriableError', codes.unreachable, /cannot be reached/],
  [answer('TimeoutError', undefined), 'RetriableError', codes.unreachable, /cannot be reached/],
  [answer('Error', undefined, { code: 'CERT_HAS_EXPIRED' }), 'ConfigError', codes.unreachable, /not trusted/],
  [answer('NoSuchBucket', 404), 'ConfigError', codes.noSuchBucket, /s3\.bucket\.name/],
  [answer('AccessDenied', 403), 'ConfigError', codes.accessDenied, /access denied/],
  [answer('InvalidAccessKeyId', 403), 'ConfigError', codes.badAccessKey, /does not know/],
  [answer('SignatureDoesNotMatch', 403), 'ConfigError', codes.badSecret, /secret/],
  [answer('ExpiredToken', 400), 'ConfigError', codes.expiredCredentials, /expired/],
  [answer('CredentialsProviderError', undefined), 'ConfigError', codes.noCredentials, /no credentials/],
  [
    answer('PermanentRedirect', 301, { $response: { headers: { 'x-amz-bucket-region': 'eu-west-1' } } }),
    'ConfigError',
    codes.wrongRegion,
    /s3\.region=eu-west-1/,
  ],
  [
    answer('AuthorizationHeaderMalformed', 400, { Region: 'eu-west-2' }),
    'ConfigError',
    codes.wrongRegion,
    /s3\.region=eu-west-2/,
  ],
  [answer('NoSuchUpload', 404), 'ConnectError', codes.noSuchUpload, /NoSuchUpload/],
  [answer('PreconditionFailed', 412), 'ConnectError', codes.preconditionFailed, /412/],
  [answer('EntityTooLarge', 400), 'ConnectError', codes.failed, /EntityTooLarge/],
]

test.each(cases)('%s', (error, name, code, text) => {
  const problem = problemOf(error, 'writing s3://b/k')
  expect(problem.message).toMatch(text)
  expect(problem.message).toMatch(/^writing s3:\/\/b\/k: /)
  expect([problem.name, codeOf(problem)]).toEqual([name, code])
})

test('what is ours already, and what was aborted, is left as it is', () => {
  for (const error of [new RetriableError('a'), new ConfigError('b'), answer('AbortError', undefined)]) {
    expect(problemOf(error, 'x')).toBe(error)
  }
})
