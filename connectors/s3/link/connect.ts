import { setTimeout as delay } from 'node:timers/promises'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { fromIni, fromTemporaryCredentials } from '@aws-sdk/credential-providers'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { isRetriable, type Logger } from '@tidewire/sdk'
import { problemOf } from './errors.ts'
import { roleOf, type LinkConfig } from './settings.ts'

/** What each request is sent with. */
interface RequestOptions {
  readonly abortSignal: AbortSignal
}

/** A bucket, and the client that reaches it. */
export interface S3Link {
  readonly client: S3Client
  readonly bucket: string
  /**
   * Makes a request, and repeats it where it failed in passing: `s3.part.retries` times, with pauses that grow from
   * `s3.retry.backoff.ms`, each a random part of its length.
   *
   * ```ts
   * await link.call('reading s3://b/k', (client, options) => client.send(new GetObjectCommand({ … }), options))
   * ```
   * @param what what is being done, for messages
   * @param signal ends it early; left out, the link's own does
   * @throws ConnectError of {@link problemOf}; the signal's reason where that is aborted
   */
  call<T>(
    what: string,
    request: (client: S3Client, options: RequestOptions) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T>
  close(): void
}

/** Requests at a time on one link; what comes on top waits for a connection. */
const maxSockets = 64
/** Bodies from this size on are announced, where that is wished. */
const announcedBytes = 2 * 1024 * 1024
const longestPauseMs = 20_000

/** @param signal ends requests and pauses that have no signal of their own */
export function openS3(config: LinkConfig, signal: AbortSignal, log: Logger): S3Link {
  const client = new S3Client({ ...clientConfig(config), logger: clientLogger(log) })
  const retries = config['s3.part.retries']
  const backoffMs = config['s3.retry.backoff.ms']
  return {
    client,
    bucket: config['s3.bucket.name'],
    async call(what, request, own = signal) {
      for (let attempt = 0; ; attempt++) {
        own.throwIfAborted()
        try {
          return await request(client, { abortSignal: own })
        } catch (error) {
          own.throwIfAborted()
          const problem = problemOf(error, what)
          if (attempt >= retries || !isRetriable(problem)) throw problem
          const pauseMs = Math.random() * Math.min(longestPauseMs, backoffMs * 2 ** attempt)
          log.debug('a request to the store failed in passing, and is repeated', { error: problem.message, pauseMs })
          await delay(pauseMs, undefined, { signal: own })
        }
      }
    },
    close: () => client.destroy(),
  }
}

function clientConfig(config: LinkConfig): S3ClientConfig {
  const checksums = config['s3.checksum.mode'] === 'when_supported' ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED'
  const endpoint = config['store.url']
  return {
    region: config['s3.region'],
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle: config['s3.path.style.access.enabled'],
    useAccelerateEndpoint: config['s3.wan.mode'],
    // A region that is wrong is told of, rather than found out anew with each request.
    followRegionRedirects: false,
    // Repeated in one place: here, where all kinds of failure are known.
    maxAttempts: 1,
    expectContinueHeader: config['s3.http.send.expect.continue'] ? announcedBytes : false,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    requestStreamBufferSize: 64 * 1024,
    requestHandler: requestHandler(config),
    ...credentials(config),
  }
}

/** Connections to AWS, or a store, of any of its services. */
export function requestHandler(config: LinkConfig): NodeHttpHandler {
  const proxyEnv = proxyOf(config)
  const agentOptions = { keepAlive: true, maxSockets, ...(proxyEnv === undefined ? {} : { proxyEnv }) }
  return new NodeHttpHandler({
    httpAgent: new HttpAgent(agentOptions),
    httpsAgent: new HttpsAgent(agentOptions),
    connectionTimeout: config['s3.connect.timeout.ms'],
    socketTimeout: config['s3.request.timeout.ms'],
    // More requests than connections are meant to be: they wait.
    socketAcquisitionWarningTimeout: 2 ** 31 - 1,
  })
}

/** In the form that Node's agents take. */
function proxyOf(config: LinkConfig): { HTTP_PROXY: string; HTTPS_PROXY: string; NO_PROXY: string } | undefined {
  const given = config['s3.proxy.url'] ?? ''
  if (given === '') return undefined
  const url = new URL(given)
  if (config['s3.proxy.user'] !== undefined) url.username = encodeURIComponent(config['s3.proxy.user'])
  if (config['s3.proxy.password'] !== undefined) url.password = encodeURIComponent(config['s3.proxy.password'])
  return { HTTP_PROXY: url.href, HTTPS_PROXY: url.href, NO_PROXY: '' }
}

/** Whom requests are from. */
export function credentials(config: LinkConfig): Pick<S3ClientConfig, 'credentials' | 'profile'> {
  const own = ownCredentials(config)
  const arn = roleOf(config)
  if (arn === undefined) return own === undefined ? {} : { credentials: own }
  const externalId = config['s3.credentials.provider.sts.role.external.id']
  return {
    credentials: fromTemporaryCredentials({
      ...(own === undefined ? {} : { masterCredentials: own }),
      params: {
        RoleArn: arn,
        RoleSessionName: config['s3.credentials.provider.sts.role.session.name'],
        ...(externalId === undefined ? {} : { ExternalId: externalId }),
      },
      clientConfig: { region: config['s3.credentials.provider.sts.region'] ?? config['s3.region'] },
    }),
  }
}

/** Undefined: what AWS's tools find. */
function ownCredentials(config: LinkConfig): NonNullable<S3ClientConfig['credentials']> | undefined {
  const accessKeyId = config['aws.access.key.id'] ?? ''
  if (accessKeyId !== '') {
    const sessionToken = config['aws.session.token']
    return {
      accessKeyId,
      secretAccessKey: config['aws.secret.access.key'] ?? '',
      ...(sessionToken === undefined ? {} : { sessionToken }),
    }
  }
  const profile = config['aws.profile']
  return profile === undefined ? undefined : fromIni({ profile })
}

/** Of the SDK's log only what is a warning: the rest has each request in it. */
function clientLogger(log: Logger): NonNullable<S3ClientConfig['logger']> {
  const quiet = (): void => undefined
  const told = (...texts: unknown[]): void => log.warn(texts.map(String).join(' '))
  return { trace: quiet, debug: quiet, info: quiet, warn: told, error: told }
}
