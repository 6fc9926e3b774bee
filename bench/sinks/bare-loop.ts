/**
 * What a sink is measured by: a program that reads a topic with the same client and gives it to the store's own SDK, with
 * nothing in between, as fast as it can: no offsets, no folders, no errors, no limit on memory.
 *
 *     node bench/sinks/bare-loop.ts <job as JSON>
 *
 * It prints `ready`, begins when a line comes in, and ends with the last record stored.
 */
import { once } from 'node:events'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { Client } from '@elastic/elasticsearch'
import { parquetWriteBuffer } from 'hyparquet-writer'
import type { InRecord } from '../../core/src/client/client.ts'
import { createClient } from '../../core/src/client/log-client.ts'
import { avroReader, type Event } from './events.ts'

export type BareJob = {
  readonly address: string
  readonly topic: string
  readonly partitions: number
  readonly records: number
} & (S3Job | ElasticsearchJob)

interface S3Job {
  readonly store: 's3'
  readonly format: 'json' | 'parquet'
  readonly endpoint: string
  readonly region: string
  readonly accessKey: string
  readonly secretKey: string
  readonly bucket: string
  readonly recordsAnObject: number
}

interface ElasticsearchJob {
  readonly store: 'elasticsearch'
  readonly url: string
  readonly index: string
}

/** Takes the records of a partition as they come; waits where the store is behind. */
interface Store {
  write(partition: number, records: readonly InRecord[]): Promise<void>
  end(): Promise<void>
}

/** As many as the sinks have by default. */
const requestsAtATime = 5

/** Requests under way. */
class Requests {
  readonly #underWay = new Set<Promise<void>>()

  /** Starts one, and waits until there is room for another. */
  async start(request: Promise<void>): Promise<void> {
    const kept = request.finally(() => this.#underWay.delete(kept))
    this.#underWay.add(kept)
    if (this.#underWay.size >= requestsAtATime) await Promise.race(this.#underWay)
  }

  async end(): Promise<void> {
    await Promise.all(this.#underWay)
  }
}

function s3Store(job: S3Job & BareJob): Store {
  const { endpoint, region, accessKey, secretKey, bucket, recordsAnObject } = job
  const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey }
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials })
  const requests = new Requests()
  const open = new Map<number, ObjectInTheMaking>()
  const put = async (partition: number, object: ObjectInTheMaking): Promise<void> => {
    const Key = `${job.topic}/${partition}/${object.firstOffset}`
    await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: await object.bytes() }))
  }
  return {
    write: async (partition, records) => {
      for (const record of records) {
        let object = open.get(partition)
        if (object === undefined) {
          object = job.format === 'json' ? new GzippedLines(record.offset) : new ParquetColumns(record.offset)
          open.set(partition, object)
        }
        object.add(record)
        if (object.count < recordsAnObject) continue
        open.delete(partition)
        await requests.start(put(partition, object))
      }
    },
    end: async () => {
      for (const [partition, object] of open) await requests.start(put(partition, object))
      await requests.end()
      client.destroy()
    },
  }
}

interface ObjectInTheMaking {
  readonly firstOffset: number
  readonly count: number
  add(record: InRecord): void
  bytes(): Promise<Uint8Array>
}

const gzipped = promisify(gzip)
/** Compressed at a time, in a thread of its own. */
const pieceCharacters = 2 ** 20

class GzippedLines implements ObjectInTheMaking {
  readonly firstOffset: number
  count = 0
  #lines = ''
  readonly #pieces: Promise<Buffer>[] = []

  constructor(firstOffset: number) {
    this.firstOffset = firstOffset
  }

  add({ value }: InRecord): void {
    this.count++
    this.#lines += `${JSON.stringify(JSON.parse(value!.toString()))}\n`
    if (this.#lines.length >= pieceCharacters) this.#compress()
  }

  async bytes(): Promise<Uint8Array> {
    this.#compress()
    return Buffer.concat(await Promise.all(this.#pieces))
  }

  #compress(): void {
    this.#pieces.push(gzipped(this.#lines))
    this.#lines = ''
  }
}

const columns = [
  ['id', 'INT64'],
  ['device', 'STRING'],
  ['at', 'INT64'],
  ['temperature', 'DOUBLE'],
  ['humidity', 'DOUBLE'],
  ['status', 'STRING'],
  ['note', 'STRING'],
] as const satisfies readonly (readonly [keyof Event, string])[]

class ParquetColumns implements ObjectInTheMaking {
  readonly firstOffset: number
  count = 0
  readonly #read = avroReader()
  readonly #data = columns.map((): unknown[] => [])

  constructor(firstOffset: number) {
    this.firstOffset = firstOffset
  }

  add({ value }: InRecord): void {
    this.count++
    const event = this.#read(value!)
    for (const [at, [name, type]] of columns.entries()) {
      this.#data[at]!.push(type === 'INT64' ? BigInt(event[name]) : event[name])
    }
  }

  bytes(): Promise<Uint8Array> {
    const columnData = columns.map(([name, type], at) => ({ name, type, data: this.#data[at]! }))
    return Promise.resolve(new Uint8Array(parquetWriteBuffer({ columnData, codec: 'SNAPPY' })))
  }
}

/** As the sink has it by default. */
const documentsABulk = 2000

function elasticsearchStore(job: ElasticsearchJob & BareJob): Store {
  const client = new Client({ node: job.url })
  const requests = new Requests()
  let operations: unknown[] = []
  const send = async (): Promise<void> => {
    const bulk = operations
    operations = []
    const { errors } = await client.bulk({ index: job.index, operations: bulk })
    if (errors) throw new Error('a document was refused')
  }
  return {
    write: async (partition, records) => {
      for (const { offset, value } of records) {
        const id = `${job.topic}+${partition}+${offset}`
        operations.push(
          { index: { _id: id, version: offset, version_type: 'external' } },
          JSON.parse(value!.toString()),
        )
        if (operations.length >= 2 * documentsABulk) await requests.start(send())
      }
    },
    end: async () => {
      if (operations.length > 0) await requests.start(send())
      await requests.end()
      await client.close()
    },
  }
}

const job = JSON.parse(process.argv[2] ?? '') as BareJob
const client = createClient({ bootstrapServers: [job.address], clientId: 'bare-loop' })
const reader = client.reader({})
const store = job.store === 's3' ? s3Store(job) : elasticsearchStore(job)
console.log('ready')
await once(process.stdin, 'data')
const { topic } = job
reader.assign(Array.from({ length: job.partitions }, (_, partition) => ({ topic, partition, offset: 'earliest' })))
for (let left = job.records; left > 0;) {
  for (const { partition, records } of await reader.poll({ maxWaitMs: 1000 })) {
    left -= records.length
    await store.write(partition, records)
  }
}
await store.end()
console.log('done')
await reader.close()
await client.close()
process.stdin.destroy()
