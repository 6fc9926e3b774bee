import { setTimeout as sleep } from 'node:timers/promises'
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { ConfigError, isRetriable, type Logger } from '@tidewire/sdk'
import { credentials, requestHandler } from '../link/connect.ts'
import { problemOf } from '../link/errors.ts'
import type { S3SourceConfig } from './settings.ts'

/** The longest that SQS lets one wait for messages. */
const longPollSeconds = 20
/** As many as one answer may have. */
const mostMessages = 10

export interface QueueMessage {
  readonly receipt: string
  readonly body: string
}

/** What the source asks of the queue of notifications. */
export class Queue {
  readonly #client: SQSClient
  readonly #config: S3SourceConfig
  readonly #signal: AbortSignal
  readonly #url: string

  constructor(config: S3SourceConfig, signal: AbortSignal) {
    this.#config = config
    this.#signal = signal
    this.#url = config['sqs.queue.url']!
    this.#client = new SQSClient({
      region: config['sqs.region'] ?? config['s3.region'],
      // A queue is where its address says, on AWS and elsewhere.
      endpoint: new URL(this.#url).origin,
      maxAttempts: 1,
      requestHandler: requestHandler(config),
      ...credentials(config),
    })
  }

  /** The next messages; none after a while without any. Others do not see them for `sqs.visibility.timeout.seconds`. */
  async receive(): Promise<readonly QueueMessage[]> {
    const { Messages = [] } = await this.#call('receiving notifications from', (options) =>
      this.#client.send(
        new ReceiveMessageCommand({
          QueueUrl: this.#url,
          MaxNumberOfMessages: mostMessages,
          WaitTimeSeconds: longPollSeconds,
          VisibilityTimeout: this.#config['sqs.visibility.timeout.seconds'],
        }),
        options,
      ),
    )
    return Messages.map(({ ReceiptHandle = '', Body = '' }) => ({ receipt: ReceiptHandle, body: Body }))
  }

  /** The message stays hidden for the whole time once more. */
  async prolong(receipt: string): Promise<void> {
    const VisibilityTimeout = this.#config['sqs.visibility.timeout.seconds']
    await this.#call('prolonging a notification of', (options) =>
      this.#client.send(
        new ChangeMessageVisibilityCommand({ QueueUrl: this.#url, ReceiptHandle: receipt, VisibilityTimeout }),
        options,
      ),
    )
  }

  async delete(receipt: string): Promise<void> {
    await this.#call('deleting a notification of', (options) =>
      this.#client.send(new DeleteMessageCommand({ QueueUrl: this.#url, ReceiptHandle: receipt }), options),
    )
  }

  /** @throws ConnectError where the queue is not there, or not to be read */
  async look(): Promise<void> {
    await this.#call('looking at', (options) =>
      this.#client.send(new GetQueueAttributesCommand({ QueueUrl: this.#url, AttributeNames: ['QueueArn'] }), options),
    )
  }

  close(): void {
    this.#client.destroy()
  }

  async #call<T>(what: string, request: (options: { abortSignal: AbortSignal }) => Promise<T>): Promise<T> {
    const { 's3.part.retries': retries, 's3.retry.backoff.ms': backoffMs } = this.#config
    for (let attempt = 0; ; attempt++) {
      this.#signal.throwIfAborted()
      try {
        return await request({ abortSignal: this.#signal })
      } catch (error) {
        this.#signal.throwIfAborted()
        const problem = ofQueue(problemOf(error, `${what} ${this.#url}`))
        if (attempt >= retries || !isRetriable(problem)) throw problem
        await sleep(Math.random() * backoffMs * 2 ** attempt, undefined, { signal: this.#signal })
      }
    }
  }
}

/** What is wrong with the queue is not the bucket's fault. */
function ofQueue(problem: Error): Error {
  const cause = problem.cause as { readonly name?: string } | undefined
  const missing = /QueueDoesNotExist|NonExistentQueue/.test(cause?.name ?? '')
  const options = { cause: problem, setting: 'sqs.queue.url' }
  if (missing) {
    return new ConfigError(`${problem.message}: make the queue, or correct sqs.queue.url`, {
      ...options,
      code: 'SQS_NO_SUCH_QUEUE',
    })
  }
  if (!(problem instanceof ConfigError) || problem.setting !== undefined) return problem
  return new ConfigError(problem.message, { ...options, code: problem.code })
}

/** @throws ConnectError */
export async function lookAtQueue(config: S3SourceConfig, signal: AbortSignal, log: Logger): Promise<void> {
  const queue = new Queue(config, signal)
  try {
    await queue.look()
    log.info('the queue of notifications is there', { queue: config['sqs.queue.url'] })
  } finally {
    queue.close()
  }
}
