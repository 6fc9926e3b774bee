import { randomUUID } from 'node:crypto'
import type { CompletedPart } from '@aws-sdk/client-s3'
import { isErrorKind } from '@tidewire/sdk'
import { codeOf, codes } from '../link/errors.ts'
import type { SpillFile } from './spill.ts'
import type { NewObject } from './store.ts'
import type { Uploads } from './uploads.ts'

/** In the metadata of objects: which attempt made it. An answer that got lost is made up for by it. */
const uploadIdField = 'tidewire-upload'

/** The store takes 10,000 parts; they grow before that is too few. */
const partsOfOneSize = 1000
/** So many parts of an object are in memory at a time, beside what comes in. */
const partsAtATime = 2
const abortMs = 2000

/**
 * The bytes of one object on their way: in memory, in a file, in parts that have been uploaded. Calls are made one after the
 * other. An object that is no larger than a part is made by one request.
 */
export class ObjectUpload {
  readonly #uploads: Uploads
  readonly #onFailure: (error: unknown) => void
  #object: NewObject
  readonly #id = randomUUID()
  readonly #abort = new AbortController()
  readonly #signal: AbortSignal
  #pieces: Uint8Array[] = []
  #pieceBytes = 0
  #spill: SpillFile | undefined
  #beginning: Promise<string> | undefined
  #uploadId: string | undefined
  readonly #parts: CompletedPart[] = []
  #partCount = 0
  readonly #sending = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | undefined

  /** @param onFailure is told of a part that failed for good, at once; what is called next throws it too */
  constructor(uploads: Uploads, object: NewObject, onFailure: (error: unknown) => void) {
    this.#uploads = uploads
    this.#object = object
    this.#onFailure = onFailure
    this.#signal = AbortSignal.any([uploads.options.signal, this.#abort.signal])
  }

  get key(): string {
    return this.#object.key
  }

  /** In memory, and not under way. */
  get pieceBytes(): number {
    return this.#pieceBytes
  }

  get spilledBytes(): number {
    return this.#spill?.bytes ?? 0
  }

  add(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      this.#pieces.push(piece)
      this.#pieceBytes += piece.length
      this.#uploads.held(piece.length)
    }
  }

  /** Begins to upload what makes whole parts. */
  async sendParts(): Promise<void> {
    if (this.#uploads.options.deferred) return
    while (this.#bytes >= this.#partBytes) await this.#sendPart(this.#partBytes)
  }

  /** Puts what is in memory, and not under way, into a file. Where the disk takes no more, it stays where it is. */
  async spill(): Promise<void> {
    if (this.#pieceBytes === 0) return
    try {
      this.#spill ??= await this.#uploads.options.spill.file()
      await this.#spill.append(this.#pieces)
      this.#uploads.diskTrouble = undefined
    } catch (error) {
      this.#uploads.diskTrouble = `objects that wait cannot be put on disk, see s3.spill.dir: ${(error as Error).message}`
      return
    }
    this.#uploads.spilledBytes += this.#pieceBytes
    this.#dropPieces()
    await this.sendParts()
  }

  /**
   * Makes the object.
   * @param metadata more of it; only for an object of which nothing was sent before
   * @throws ConnectError; with the code S3_PRECONDITION_FAILED where there is one of that name that somebody else made
   */
  async complete(metadata: Readonly<Record<string, string>>): Promise<void> {
    this.#object = { ...this.#object, metadata }
    if (this.#partCount === 0 && this.#bytes <= this.#partBytes) await this.#putWhole()
    else await this.#completeParts()
    this.#uploads.written++
    this.#uploads.lastKey = this.#object.key
    await this.#forget()
  }

  /** Ends what is under way, which fails. */
  cancel(): void {
    this.#abort.abort()
  }

  /** Leaves nothing of it behind, as far as that is quickly done. */
  async abort(): Promise<void> {
    this.cancel()
    await Promise.allSettled(this.#sending)
    this.#dropPieces()
    await this.#forget()
    const id = this.#uploadId
    if (id === undefined) return
    const { store, log } = this.#uploads.options
    try {
      await store.abortUpload(this.#object.key, id, AbortSignal.timeout(abortMs))
    } catch (error) {
      // Whoever has the partition next aborts it.
      if (codeOf(error) !== codes.noSuchUpload) {
        log.warn('an upload could not be aborted', { object: this.#object.key, error: (error as Error).message })
      }
    }
    this.#uploads.ids.delete(id)
  }

  get #bytes(): number {
    return this.spilledBytes + this.#pieceBytes
  }

  get #partBytes(): number {
    return this.#uploads.options.partBytes * (1 + Math.floor(this.#partCount / partsOfOneSize))
  }

  async #putWhole(): Promise<void> {
    const { store, slots } = this.#uploads.options
    const object = this.#object.ifAbsent ? this.#withId() : this.#object
    await slots.run(this.#bytes, this.#signal, async () => {
      const body = await this.#cut(this.#bytes)
      try {
        await this.#uploads.persist(this.#signal, () => this.#onceOnly(() => store.put(object, body, this.#signal)))
      } finally {
        this.#uploads.held(-body.length)
      }
    })
  }

  async #completeParts(): Promise<void> {
    while (this.#bytes > 0) {
      // What is on disk is brought back piece by piece.
      if (this.#sending.size >= partsAtATime) await Promise.race(this.#sending)
      await this.#sendPart(Math.min(this.#bytes, this.#partBytes))
    }
    await Promise.all(this.#sending)
    if (this.#failure !== undefined) throw this.#failure.error
    const { store } = this.#uploads.options
    const parts = this.#parts.toSorted((a, b) => a.PartNumber! - b.PartNumber!)
    await this.#uploads.persist(this.#signal, () =>
      this.#onceOnly(() => store.completeUpload(this.#object, this.#uploadId!, parts, this.#signal)),
    )
    this.#uploads.ids.delete(this.#uploadId!)
  }

  async #sendPart(length: number): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error
    const number = ++this.#partCount
    const body = await this.#cut(length)
    const sending = this.#upload(number, body)
      .catch((error: unknown) => {
        if (this.#failure !== undefined || this.#abort.signal.aborted) return
        this.#failure = { error }
        this.#onFailure(error)
      })
      .finally(() => {
        this.#sending.delete(sending)
        this.#uploads.held(-body.length)
      })
    this.#sending.add(sending)
  }

  async #upload(number: number, body: Uint8Array): Promise<void> {
    const { store, slots } = this.#uploads.options
    const id = await this.#begun()
    const part = await slots.run(body.length, this.#signal, () =>
      this.#uploads.persist(this.#signal, () => store.uploadPart(this.key, id, number, body, this.#signal)),
    )
    this.#parts.push(part)
  }

  /** The multipart upload's id. */
  #begun(): Promise<string> {
    this.#beginning ??= this.#begin()
    return this.#beginning
  }

  async #begin(): Promise<string> {
    const { store } = this.#uploads.options
    this.#uploads.beginning.add(this.key)
    try {
      const object = this.#withId()
      const id = await this.#uploads.persist(this.#signal, () => store.createUpload(object, this.#signal))
      this.#uploadId = id
      this.#uploads.ids.add(id)
      return id
    } finally {
      this.#uploads.beginning.delete(this.key)
    }
  }

  /** A request whose answer got lost and that was repeated may find that it has been done. */
  async #onceOnly(request: () => Promise<void>): Promise<void> {
    try {
      await request()
    } catch (error) {
      const code = codeOf(error)
      if (code !== codes.preconditionFailed && code !== codes.noSuchUpload) throw error
      if (!(await this.#isMade())) throw error
    }
  }

  async #isMade(): Promise<boolean> {
    try {
      return (await this.#uploads.options.store.metadata(this.key, this.#signal))[uploadIdField] === this.#id
    } catch (error) {
      if (codeOf(error) === codes.notFound) return false
      throw error
    }
  }

  #withId(): NewObject {
    return { ...this.#object, metadata: { ...this.#object.metadata, [uploadIdField]: this.#id } }
  }

  /** The next bytes, for a request. */
  async #cut(length: number): Promise<Uint8Array> {
    const taken: Uint8Array[] = []
    let missing = length
    if (this.#spill !== undefined && this.#spill.bytes > 0) {
      const bytes = await this.#spill.take(missing)
      this.#uploads.spilledBytes -= bytes.length
      this.#uploads.held(bytes.length)
      taken.push(bytes)
      missing -= bytes.length
    }
    while (missing > 0) {
      const first = this.#pieces[0]!
      if (first.length <= missing) this.#pieces.shift()
      else this.#pieces[0] = first.subarray(missing)
      taken.push(first.subarray(0, missing))
      const bytes = Math.min(first.length, missing)
      this.#pieceBytes -= bytes
      missing -= bytes
    }
    return taken.length === 1 ? taken[0]! : Buffer.concat(taken)
  }

  #dropPieces(): void {
    this.#uploads.held(-this.#pieceBytes)
    this.#pieces = []
    this.#pieceBytes = 0
  }

  async #forget(): Promise<void> {
    const spill = this.#spill
    this.#spill = undefined
    if (spill === undefined) return
    this.#uploads.spilledBytes -= spill.bytes
    await spill.remove()
  }
}

/** Whether the object's upload is gone, and with it what was uploaded: somebody aborted it. */
export function isLost(error: unknown): boolean {
  return !isErrorKind(error, 'RetriableError') && codeOf(error) === codes.noSuchUpload
}
