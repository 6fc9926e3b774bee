import { setTimeout as sleep } from 'node:timers/promises'
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3'
import { ConnectError, isRetriable, RetriableError } from '@tidewire/sdk'
import type { ReadableObject } from '../formats/index.ts'
import type { S3Link } from '../link/connect.ts'
import { codes, problemOf } from '../link/errors.ts'
import type { FoundObject } from './object-names.ts'

/** The object is not the one that was found: it was written anew, or deleted. */
export class ObjectGoneError extends ConnectError {
  override readonly name = 'ObjectGoneError'
  readonly fate: 'changed' | 'deleted'

  constructor(fate: 'changed' | 'deleted', where: string, cause: unknown) {
    super(`${where} was ${fate === 'changed' ? 'written anew' : 'deleted'} while it was read`, { cause })
    this.fate = fate
  }
}

const longestPauseMs = 20_000

/** What the source asks of the store. */
export class Bucket {
  readonly #link: S3Link
  readonly #signal: AbortSignal
  readonly #retries: number
  readonly #backoffMs: number

  constructor(
    link: S3Link,
    signal: AbortSignal,
    config: { readonly 's3.part.retries': number; readonly 's3.retry.backoff.ms': number },
  ) {
    this.#link = link
    this.#signal = signal
    this.#retries = config['s3.part.retries']
    this.#backoffMs = config['s3.retry.backoff.ms']
  }

  /** All objects under a prefix, page by page in the order of their keys; `after`: those with greater keys. */
  async *list(prefix: string, after = ''): AsyncGenerator<readonly FoundObject[]> {
    const Bucket = this.#link.bucket
    let ContinuationToken: string | undefined
    do {
      const page = await this.#link.call(`listing s3://${Bucket}/${prefix}`, (client, options) =>
        client.send(
          new ListObjectsV2Command({
            Bucket,
            ...(prefix === '' ? {} : { Prefix: prefix }),
            ...(after === '' ? {} : { StartAfter: after }),
            ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
          }),
          options,
        ),
      )
      yield (page.Contents ?? []).map(({ Key = '', ETag = '', Size = 0, LastModified }) => ({
        ...{ key: Key, etag: ETag, size: Size, modified: LastModified?.getTime() ?? 0 },
      }))
      ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined
    } while (ContinuationToken !== undefined)
  }

  /** An object as it is now; undefined where there is none. */
  async look(key: string, version?: string): Promise<FoundObject | undefined> {
    try {
      const head = await this.#link.call(`looking at ${this.#where(key)}`, (client, options) =>
        client.send(new HeadObjectCommand({ ...this.#named({ key, version }) }), options),
      )
      const { ETag = '', ContentLength = 0, LastModified } = head
      return { key, etag: ETag, size: ContentLength, modified: LastModified?.getTime() ?? 0, version }
    } catch (error) {
      if (codeOf(error) === codes.notFound) return undefined
      throw error
    }
  }

  /** The bytes of just that object: where the key has others meanwhile, reading ends with {@link ObjectGoneError}. */
  open(object: FoundObject): ReadableObject {
    const { key, size } = object
    return {
      ...{ name: key, size },
      stream: () => this.#stream(object),
      range: (start, end) => this.#range(object, start, end),
    }
  }

  /** A connection that breaks is made again, and goes on with the next byte. */
  async *#stream(object: FoundObject): AsyncGenerator<Uint8Array> {
    let at = 0
    for (let failures = 0; at < object.size;) {
      try {
        for await (const chunk of await this.#body(object, at === 0 ? undefined : `bytes=${at}-`)) {
          at += chunk.length
          failures = 0
          yield chunk
        }
        if (at < object.size) throw new RetriableError(`${this.#where(object.key)}: the answer ended early`)
      } catch (error) {
        const problem = problemOf(error, `reading ${this.#where(object.key)}`)
        this.#signal.throwIfAborted()
        if (!isRetriable(problem) || failures >= this.#retries) throw problem
        const pauseMs = Math.random() * Math.min(longestPauseMs, this.#backoffMs * 2 ** failures++)
        await sleep(pauseMs, undefined, { signal: this.#signal })
      }
    }
  }

  async #range(object: FoundObject, start: number, end: number): Promise<Uint8Array> {
    if (start >= end) return new Uint8Array(0)
    const what = `reading ${this.#where(object.key)}`
    for (let failures = 0; ; failures++) {
      try {
        const chunks: Uint8Array[] = []
        for await (const chunk of await this.#body(object, `bytes=${start}-${end - 1}`)) chunks.push(chunk)
        return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      } catch (error) {
        const problem = problemOf(error, what)
        this.#signal.throwIfAborted()
        // The request itself was repeated already; here its answer broke off.
        if (!isRetriable(problem) || failures >= this.#retries) throw problem
      }
    }
  }

  async #body(object: FoundObject, Range: string | undefined): Promise<AsyncIterable<Uint8Array>> {
    const where = this.#where(object.key)
    try {
      const { Body } = await this.#link.call(`reading ${where}`, (client, options) =>
        client.send(
          new GetObjectCommand({
            ...this.#named(object),
            IfMatch: object.etag,
            ...(Range === undefined ? {} : { Range }),
          }),
          options,
        ),
      )
      return Body as unknown as AsyncIterable<Uint8Array>
    } catch (error) {
      const code = codeOf(error)
      if (code === codes.preconditionFailed) throw new ObjectGoneError('changed', where, error)
      if (code === codes.notFound) throw new ObjectGoneError('deleted', where, error)
      throw error
    }
  }

  /** Adds a tag to those that the object has. @returns false where the object is not there any more, or another one */
  async tag(object: FoundObject, name: string, value: string): Promise<boolean> {
    const now = await this.look(object.key, object.version)
    if (now?.etag !== object.etag) return false
    const what = `tagging ${this.#where(object.key)}`
    const named = this.#named(object)
    const { TagSet = [] } = await this.#link.call(what, (client, options) =>
      client.send(new GetObjectTaggingCommand(named), options),
    )
    if (TagSet.some(({ Key, Value }) => Key === name && Value === value)) return true
    const others = TagSet.filter(({ Key }) => Key !== name)
    const Tagging = { TagSet: [...others, { Key: name, Value: value }] }
    await this.#link.call(what, (client, options) =>
      client.send(new PutObjectTaggingCommand({ ...named, Tagging }), options),
    )
    return true
  }

  /** @returns false where the object is not there any more, or another one */
  async delete(object: FoundObject): Promise<boolean> {
    const what = `deleting ${this.#where(object.key)}`
    return unlessGone(async () => {
      await this.#link.call(what, (client, options) =>
        client.send(
          new DeleteObjectCommand({ Bucket: this.#link.bucket, Key: object.key, IfMatch: object.etag }),
          options,
        ),
      )
    })
  }

  /** Copies an object, then deletes it. @returns false where it is not there any more, or another one */
  async move(object: FoundObject, bucket: string, key: string): Promise<boolean> {
    const what = `moving ${this.#where(object.key)} to s3://${bucket}/${key}`
    const source = `${this.#link.bucket}/${object.key.split('/').map(encodeURIComponent).join('/')}`
    const copied = await unlessGone(async () => {
      await this.#link.call(what, (client, options) =>
        client.send(
          new CopyObjectCommand({ Bucket: bucket, Key: key, CopySource: source, CopySourceIfMatch: object.etag }),
          options,
        ),
      )
    })
    return copied && this.delete(object)
  }

  #named({ key, version }: Pick<FoundObject, 'key' | 'version'>): { Bucket: string; Key: string; VersionId?: string } {
    return { Bucket: this.#link.bucket, Key: key, ...(version === undefined ? {} : { VersionId: version }) }
  }

  #where(key: string): string {
    return `s3://${this.#link.bucket}/${key}`
  }
}

async function unlessGone(act: () => Promise<void>): Promise<boolean> {
  try {
    await act()
    return true
  } catch (error) {
    const code = codeOf(error)
    if (code === codes.preconditionFailed || code === codes.notFound) return false
    throw error
  }
}

const codeOf = (error: unknown): string | undefined => (error instanceof ConnectError ? error.code : undefined)
