import {
  CreateBucketCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { OffsetStore, parseConfig, runSource, type SourceRun } from '@tidewire/sdk/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { sqsMissing, startSqs, type TestSqs } from '../../../test/support/sqs.ts'
import { until } from '../../../test/support/until.ts'
import { s3Source } from '../source/source.ts'

const missing = await sqsMissing()
const queueArn = (name: string): string => `arn:aws:sqs:us-east-1:123456789012:${name}`

describe.skipIf(missing !== undefined)(
  `s3-source by notifications${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let moto: TestSqs
    let s3: S3Client
    let sqs: SQSClient
    let count = 0
    const runs: SourceRun[] = []

    beforeAll(async () => {
      moto = await startSqs()
      const { endpoint, credentials, region } = moto
      s3 = new S3Client({ endpoint, credentials, region, forcePathStyle: true })
      sqs = new SQSClient({ endpoint, credentials, region })
    })
    afterAll(async () => {
      s3.destroy()
      sqs.destroy()
      await moto.close()
    })
    afterEach(async () => {
      for (const run of runs.splice(0)) await run.stop().catch(() => undefined)
    })

    /** A bucket whose new objects a queue is told of. */
    async function place(): Promise<{ bucket: string; url: string; config: Readonly<Record<string, string>> }> {
      const bucket = `notified-${count++}`
      const { QueueUrl: url = '' } = await sqs.send(new CreateQueueCommand({ QueueName: bucket }))
      await s3.send(new CreateBucketCommand({ Bucket: bucket }))
      const QueueConfigurations = [{ QueueArn: queueArn(bucket), Events: ['s3:ObjectCreated:*' as const] }]
      await s3.send(
        new PutBucketNotificationConfigurationCommand({
          Bucket: bucket,
          NotificationConfiguration: { QueueConfigurations },
        }),
      )
      const config = {
        ...{ 's3.bucket.name': bucket, 'store.url': moto.endpoint, 's3.region': moto.region },
        'aws.access.key.id': moto.credentials.accessKeyId,
        'aws.secret.access.key': moto.credentials.secretAccessKey,
        ...{ mode: 'GENERIC', 'topics.dir': 'in', topics: 't', 'sqs.queue.url': url },
      }
      return { bucket, url, config }
    }
    const start = (config: Readonly<Record<string, string>>, offsets = new OffsetStore()): SourceRun => {
      const run = runSource(s3Source, config, { timeoutMs: 60_000, offsets })
      runs.push(run)
      return run
    }
    const put = (Bucket: string, Key: string, Body: string) => s3.send(new PutObjectCommand({ Bucket, Key, Body }))
    /** Those that are seen by nobody included. */
    const messages = async (QueueUrl: string): Promise<number> => {
      const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const
      const { Attributes = {} } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...AttributeNames] }),
      )
      return AttributeNames.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0)
    }

    test('what the bucket tells of is read, and its messages deleted once it is in the log', async () => {
      const { bucket, url, config } = await place()
      const run = start(config)
      await put(bucket, 'in/a b+ü.json', '1\n2\n')
      const first = await run.take(2)
      expect(first.map(({ value }) => value)).toEqual([1, 2])
      await run.acknowledge(1)
      expect(await messages(url)).toBeGreaterThan(0)
      await run.acknowledge()
      // A source does nothing while nobody asks for more.
      const asked = run.take(1)
      // The bucket's own word that notifications begin goes too.
      await until('the messages to be gone', async () => (await messages(url)) === 0)
      // Of what lies elsewhere nothing is read, and the message is deleted.
      await put(bucket, 'elsewhere/x.json', '3\n')
      await put(bucket, 'in/b.json', '4\n')
      expect((await asked)[0]?.value).toBe(4)
      await run.acknowledge()
      const none = run.take(1).catch(() => undefined)
      await until('the messages to be gone', async () => (await messages(url)) === 0)
      await run.stop()
      await none
    })

    test('a message that comes again is known; an object half read is gone on with; one written anew is read', async () => {
      const { bucket, url, config } = await place()
      // So soon do messages come back that were not deleted.
      const soon = { ...config, 'sqs.visibility.timeout.seconds': '1' }
      await put(bucket, 'in/a.json', '1\n2\n3\n')
      const run = start(soon)
      await run.take(3)
      await run.acknowledge(2)
      await run.stop()
      const next = start(soon, run.offsets)
      expect((await next.take(1)).map(({ value }) => value)).toEqual([3])
      await next.acknowledge()
      const asked = next.take(1)
      for (const key of ['in/a.json', 'in/missing.json']) {
        const Records = [{ eventName: 'ObjectCreated:Put', s3: { bucket: { name: bucket }, object: { key } } }]
        await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: JSON.stringify({ Records }) }))
      }
      await until('the messages to be gone', async () => (await messages(url)) === 0)
      await put(bucket, 'in/a.json', '4\n')
      expect((await asked).map(({ value }) => value)).toEqual([4])
      await next.acknowledge()
      const none = next.take(1).catch(() => undefined)
      await until('the messages to be gone', async () => (await messages(url)) === 0)
      await next.stop()
      await none
    })

    test('what is no notification is left in the queue, and told', async () => {
      const { bucket, url, config } = await place()
      await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'hello' }))
      const run = start(config)
      await put(bucket, 'in/a.json', '1\n')
      await run.take(1)
      await run.acknowledge()
      const none = run.take(1).catch(() => undefined)
      await until('the others to be gone', async () => (await messages(url)) === 1)
      await run.stop()
      await none
      expect(run.logs.some(({ message }) => message.includes('is no notification of S3'))).toBe(true)
    })

    test('a queue that is not there is told', async () => {
      const { config } = await place()
      const wrong = { ...config, 'sqs.queue.url': `${config['sqs.queue.url']}-not` }
      await expect(start(wrong).take(1)).rejects.toMatchObject({ code: 'SQS_NO_SUCH_QUEUE', setting: 'sqs.queue.url' })
      const nothing = (): void => undefined
      const log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
      const problems = await s3Source.tryOut!(parseConfig(s3Source, wrong), {
        signal: new AbortController().signal,
        log,
      })
      expect(Object.keys(problems)).toEqual(['sqs.queue.url'])
      expect(
        await s3Source.tryOut!(parseConfig(s3Source, config), { signal: new AbortController().signal, log }),
      ).toEqual({})
    })
  },
)
