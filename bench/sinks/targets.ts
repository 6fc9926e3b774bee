/** What bench/sinks measures: from which topic to which store, by which config, and what the bare loop is told. */
import type { S3Client } from '@aws-sdk/client-s3'
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import type { LogClient, OutRecord } from '../../core/src/client/client.ts'
import { startElasticsearch } from '../../test/support/elasticsearch.ts'
import { testRegistry } from '../../test/support/registry.ts'
import type { TestEngine } from '../../test/support/search-engine.ts'
import { startS3, type TestS3 } from '../../test/support/s3.ts'
import { avroMessages, avroSchemaText, eventOf, scatteredOverADay } from './events.ts'

/** A topic that has been filled. */
export interface Topic {
  readonly name: string
  readonly partitions: number
  /** Of all its values. */
  readonly valueBytes: number
}

export interface Target {
  readonly name: string
  readonly topic: Topic
  /** What the next run writes into, made anew. */
  run(): Promise<Run>
}

interface Run {
  /** What the bare loop is told of the store; undefined: there is none to compare with. */
  readonly bare: Readonly<Record<string, unknown>> | undefined
  readonly config: Readonly<Record<string, string>>
  /** @throws Error where not all of it is there */
  check(): Promise<void>
}

export interface Sizes {
  readonly records: number
  readonly partitions: number
  /** For Elasticsearch and for whole objects of S3. */
  readonly recordsAnObject: number
  readonly hourlyPartitions: number
}

const json = {
  'value.converter': 'json',
  'value.converter.schemas.enable': 'false',
  'key.converter': 'string',
} as const

/** The targets, and the servers that they have started. */
export class Targets implements AsyncDisposable {
  readonly #client: LogClient
  readonly #address: string
  readonly #sizes: Sizes
  readonly #closers: (() => Promise<void>)[] = []
  #s3: Promise<TestS3> | undefined
  #engine: Promise<TestEngine> | undefined
  #jsonTopic: Promise<Topic> | undefined
  #indices = 0

  constructor(client: LogClient, address: string, sizes: Sizes) {
    this.#client = client
    this.#address = address
    this.#sizes = sizes
  }

  async make(name: string): Promise<Target> {
    switch (name) {
      case 's3-json':
        return this.#s3Json()
      case 's3-parquet':
        return this.#s3Parquet()
      case 's3-hourly':
        return this.#s3Hourly()
      case 'elasticsearch':
        return this.#elasticsearch()
      default:
        throw new Error(`no target ${name}: s3-json, s3-parquet, s3-hourly, elasticsearch`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers.reverse()) await close()
  }

  async #s3Json(): Promise<Target> {
    const config = { ...json, 'format.class': 'json', 's3.compression.type': 'gzip' }
    return this.#s3Target('S3, JSON lines with gzip', await this.#topicOfJson(), 'json', config)
  }

  async #s3Parquet(): Promise<Target> {
    const registry = await testRegistry(this.#address)
    this.#closers.push(() => registry.close())
    const answer = await registry.ask('POST', '/subjects/events-avro-value/versions', { schema: avroSchemaText })
    const message = avroMessages((answer.body as { id: number }).id)
    const { partitions } = this.#sizes
    const topic = await this.#fill('events-avro', partitions, (id) => ({ value: message(eventOf(id)) }))
    return this.#s3Target('S3, Parquet with Snappy', topic, 'parquet', {
      'key.converter': 'string',
      'value.converter': 'avro',
      'value.converter.schema.registry.url': registry.url,
      'format.class': 'parquet',
    })
  }

  async #s3Hourly(): Promise<Target> {
    const { hourlyPartitions, records } = this.#sizes
    const topic = await this.#fill('events-hourly', hourlyPartitions, (id) => ({
      value: JSON.stringify(eventOf(id)),
      timestamp: scatteredOverADay(id, hourlyPartitions),
    }))
    const s3 = await this.#startedS3()
    return {
      name: 'S3, JSON lines with gzip, hourly',
      topic,
      run: async () => {
        const bucket = await s3.bucket('hourly')
        const config = {
          ...{ ...s3.settings, ...json, 'connector.class': 's3-sink', 's3.bucket.name': bucket },
          ...{ 'format.class': 'json', 's3.compression.type': 'gzip' },
          ...{ 'partitioner.class': 'hourly', 'timestamp.extractor': 'Record', timezone: 'UTC' },
          'flush.size': String(records / hourlyPartitions),
        }
        const hours = Math.min(24, records / hourlyPartitions)
        return { bare: undefined, config, check: () => hasObjects(s3.client, bucket, hours * hourlyPartitions) }
      },
    }
  }

  async #s3Target(
    name: string,
    topic: Topic,
    format: 'json' | 'parquet',
    more: Readonly<Record<string, string>>,
  ): Promise<Target> {
    const s3 = await this.#startedS3()
    const { endpoint, region, accessKey, secretKey } = s3
    const { records, recordsAnObject } = this.#sizes
    return {
      name,
      topic,
      run: async () => {
        const bucket = await s3.bucket(format)
        return {
          bare: { store: 's3', format, endpoint, region, accessKey, secretKey, bucket, recordsAnObject },
          config: {
            ...{ ...s3.settings, ...more, 'connector.class': 's3-sink', 's3.bucket.name': bucket },
            'flush.size': String(recordsAnObject),
          },
          check: () => hasObjects(s3.client, bucket, records / recordsAnObject),
        }
      },
    }
  }

  async #elasticsearch(): Promise<Target> {
    const topic = await this.#topicOfJson()
    this.#engine ??= this.#started(startElasticsearch())
    const engine = await this.#engine
    return {
      name: `Elasticsearch ${engine.version}`,
      topic,
      run: async () => {
        const index = `bench-${++this.#indices}`
        await engine.ask('PUT', `/${index}`, { settings: { number_of_replicas: 0 } })
        return {
          bare: { store: 'elasticsearch', url: engine.url, index },
          config: {
            ...{ ...json, 'connector.class': 'elasticsearch-sink', 'connection.url': engine.url },
            ...{ 'key.ignore': 'true', 'schema.ignore': 'true', 'index.name.format': index },
          },
          check: async () => {
            await engine.ask('POST', `/${index}/_refresh`)
            const { count } = await engine.ask<{ count: number }>('GET', `/${index}/_count`)
            if (count !== this.#sizes.records) throw new Error(`${index} has ${count} documents`)
            await engine.ask('DELETE', `/${index}`)
          },
        }
      },
    }
  }

  #startedS3(): Promise<TestS3> {
    this.#s3 ??= this.#started(startS3())
    return this.#s3
  }

  async #started<T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> {
    const server = await starting
    this.#closers.push(() => server.close())
    return server
  }

  #topicOfJson(): Promise<Topic> {
    const { partitions } = this.#sizes
    this.#jsonTopic ??= this.#fill('events-json', partitions, (id) => ({ value: JSON.stringify(eventOf(id)) }))
    return this.#jsonTopic
  }

  async #fill(
    name: string,
    partitions: number,
    recordOf: (id: number) => Pick<OutRecord, 'value' | 'timestamp'>,
  ): Promise<Topic> {
    // The times are those of the events: none is too old to be kept.
    const config = { 'retention.ms': '-1' }
    await this.#client.admin.createTopics([{ topic: name, partitions, replicationFactor: 1, config }])
    const producer = this.#client.producer({})
    const { records } = this.#sizes
    let valueBytes = 0
    for (let from = 0; from < records; from += 10_000) {
      const batch = Array.from({ length: Math.min(10_000, records - from) }, (_, n): OutRecord => {
        const record = recordOf(from + n)
        valueBytes += Buffer.byteLength(record.value!)
        return { topic: name, partition: (from + n) % partitions, key: null, ...record }
      })
      const { failures } = await producer.produce(batch)
      if (failures.length > 0) throw failures[0]!.error
    }
    await producer.close()
    return { name, partitions, valueBytes }
  }
}

/** @throws Error where there are fewer or more */
async function hasObjects(client: S3Client, bucket: string, expected: number): Promise<void> {
  let count = 0
  let token: string | undefined
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: token }))
    count += page.KeyCount ?? 0
    token = page.NextContinuationToken
  } while (token !== undefined)
  if (count !== expected) throw new Error(`${bucket} has ${count} objects, not ${expected}`)
}
