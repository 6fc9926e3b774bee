import type { SinkRecord } from '@tidewire/sdk'
import type { ObjectFormat, ObjectWriter } from '../formats/index.ts'
import { ObjectUpload } from './object-upload.ts'
import type { NewObject } from './store.ts'
import type { Uploads } from './uploads.ts'

/** Encoded bytes are taken from the writer when it has so many. */
const drainBytes = 1024 * 1024

/** One object from the first record to the store: what encodes, and what uploads. */
export class ObjectStream {
  readonly #uploads: Uploads
  readonly #writer: ObjectWriter
  readonly #upload: ObjectUpload
  #writerBytes = 0
  #drainedAt = 0
  readonly #aborted = new AbortController()
  /** What is under way with it, one after the other. */
  #work: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | undefined
  #isDraining = false
  #isEnded = false
  readonly #onFailure: (error: unknown) => void

  /**
   * @param onFailure is told at once of what fails while records still come
   * @throws DataError where the format cannot take records like the first
   */
  constructor(
    uploads: Uploads,
    format: ObjectFormat,
    first: SinkRecord,
    object: NewObject,
    onFailure: (error: unknown) => void,
  ) {
    this.#uploads = uploads
    this.#onFailure = onFailure
    this.#writer = format.open(first)
    this.#upload = new ObjectUpload(uploads, object, onFailure)
  }

  get key(): string {
    return this.#upload.key
  }

  /** What of it could go to disk. */
  get spillableBytes(): number {
    return this.#writerBytes + this.#upload.pieceBytes
  }

  get spilledBytes(): number {
    return this.#upload.spilledBytes
  }

  /** @throws DataError: nothing of the record is written */
  append(record: SinkRecord): void {
    this.#writer.append(record)
  }

  /** To be called after records were appended: counts what they take, and sends on what is complete. */
  appended(): void {
    if (this.#isEnded) return
    this.#count()
    if (this.#isDraining || this.#writerBytes < drainBytes || this.#writerBytes < this.#drainedAt + drainBytes) return
    this.#isDraining = true
    this.#do(async () => {
      try {
        await this.#drain()
      } finally {
        this.#isDraining = false
      }
    })
  }

  /** Puts on disk, or into parts, nearly all that is in memory. */
  async spill(): Promise<void> {
    this.#do(async () => {
      this.#writer.squeeze()
      await this.#drain()
      await this.#upload.spill()
    })
    await this.#work
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Makes the object; see {@link ObjectUpload.complete}. Nothing but `abort` may be called after it. */
  complete(metadata: Readonly<Record<string, string>>): Promise<void> {
    this.#count()
    this.#isEnded = true
    this.#uploads.completing++
    const completed = this.#work.then(() => this.#complete(metadata)).finally(() => this.#uploads.ended())
    this.#work = completed.catch(() => undefined)
    return completed
  }

  async #complete(metadata: Readonly<Record<string, string>>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error
    const pieces = await this.#writer.end()
    this.#uploads.held(-this.#writerBytes)
    this.#writerBytes = 0
    this.#upload.add(pieces)
    await this.#upload.complete(metadata)
  }

  /** Ends it, whatever is under way. */
  async abort(): Promise<void> {
    this.#aborted.abort()
    this.#upload.cancel()
    await this.#work
    await this.#upload.abort()
    this.#uploads.held(-this.#writerBytes)
    this.#writerBytes = 0
  }

  #do(step: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#failure !== undefined || this.#aborted.signal.aborted) return
      try {
        await step()
      } catch (error) {
        this.#failure = { error }
        this.#onFailure(error)
      }
    })
  }

  async #drain(): Promise<void> {
    const pieces = await this.#writer.take()
    this.#upload.add(pieces)
    this.#count()
    // What stays in the writer (a block, a row group) is not asked for again before there is more of it.
    this.#drainedAt = this.#writerBytes
    await this.#upload.sendParts()
  }

  #count(): void {
    const bytes = this.#writer.heldBytes
    this.#uploads.held(bytes - this.#writerBytes)
    this.#writerBytes = bytes
  }
}
