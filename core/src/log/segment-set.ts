import { dirname, join } from 'node:path'
import { syncDirectory, writeFileAtomicallyUnsynced } from './file-system.ts'
import type { PooledFile } from './file-pool.ts'
import { Segment } from './segment.ts'
import type { StorageContext } from './storage-context.ts'

/** The segments of one partition, the files being written, and what of them is not on disk yet. */
export class SegmentSet {
  readonly dir: string
  readonly #context: StorageContext
  readonly #topicId: string
  /** Ascending; never empty. Replaced, never changed, so that a reader may hold on to it. */
  #list: readonly Segment[]
  #exists: boolean
  /**
   * Not kept open: Linux (4.16 and newer) reports a failed write-back to the next sync of the file even where it was opened after
   * the failure.
   */
  readonly #unsynced = new Set<PooledFile>()
  #retired = false
  #syncing: Promise<void> = Promise.resolve()
  #lastWriteAt = -Infinity
  readonly #unsyncedDirectories = new Set<string>()

  constructor(context: StorageContext, dir: string, topicId: string, segments: readonly Segment[], exists: boolean) {
    this.#context = context
    this.dir = dir
    this.#topicId = topicId
    this.#list = segments
    this.#exists = exists
  }

  get list(): readonly Segment[] {
    return this.#list
  }

  /** The last one, which is appended to. */
  get active(): Segment {
    return this.#list[this.#list.length - 1]!
  }

  /** By the log's clock. */
  get lastWriteAt(): number {
    return this.#lastWriteAt
  }

  get sizeBytes(): number {
    let size = 0
    for (const segment of this.#list) size += segment.size
    return size
  }

  /** Index of the segment that holds an offset at or above the first one's base offset; 0 below that. */
  indexOf(offset: number): number {
    let low = 0
    let high = this.#list.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if (this.#list[middle]!.baseOffset <= offset) low = middle
      else high = middle
    }
    return low
  }

  /**
   * Writes behind the last batch, synchronously. What was written when it throws is for {@link cutActive} to remove.
   * The segment's size and indexes are the caller's.
   */
  writeNow(buffers: readonly Buffer[], bytes: number): void {
    const { fs } = this.#context
    const { active } = this
    this.#create()
    active.log.use((fd) => {
      let rest = buffers
      for (let done = 0; ;) {
        done += fs.writevSync(fd, rest, active.size + done)
        if (done === bytes) return
        rest = remaining(buffers, done)
      }
    }, true)
    this.#written(active)
  }

  /** As {@link writeNow}, off the thread: for what takes longer than a hop to another thread and back. */
  async write(buffers: readonly Buffer[], bytes: number): Promise<void> {
    const { active } = this
    this.#create()
    const fd = active.log.pin(true)
    try {
      let rest = buffers
      for (let done = 0; ;) {
        done += await this.#writev(fd, rest, active.size + done)
        if (done === bytes) break
        rest = remaining(buffers, done)
      }
    } finally {
      active.log.unpin()
    }
    // Not before: a sync that begins in the middle of the write need not have all of it.
    this.#written(active)
  }

  /** Removes what a failed write left behind the last batch. */
  cutActive(): void {
    const { active } = this
    if (this.#exists) active.log.use((fd) => this.#context.fs.ftruncateSync(fd, active.size), true)
  }

  /** Starts a new segment. Nothing has changed when it throws. */
  roll(baseOffset: number): void {
    const { active } = this
    active.seal()
    const { fs, pool } = this.#context
    const segment = new Segment(fs, pool, this.dir, baseOffset, 0)
    segment.log.use((fd) => fs.ftruncateSync(fd, 0), true)
    this.#unsyncedDirectories.add(this.dir)
    this.#list = [...this.#list, segment]
  }

  /** Takes segments out of the list, or puts others in their place. */
  replace(removed: readonly Segment[], added: readonly Segment[] = []): void {
    const kept = this.#list.filter((segment) => !removed.includes(segment))
    this.#list = [...kept, ...added].sort((a, b) => a.baseOffset - b.baseOffset)
  }

  /** After the directory was loaded again. */
  reset(segments: readonly Segment[], exists: boolean): void {
    this.#list = segments
    this.#exists = exists
    this.#unsynced.clear()
  }

  /** Segments of which nothing is left at or above an offset; never the active one. */
  endingBelow(offset: number): Segment[] {
    return this.#list.filter((_, i) => i + 1 < this.#list.length && this.#list[i + 1]!.baseOffset <= offset)
  }

  /** Takes the files of segments that are not in the list any more out of the way, oldest first, so that a crash leaves no gap. */
  removeFiles(segments: readonly Segment[], delayMs: number): void {
    if (this.#retired) return
    for (const segment of segments) this.#remove(segment, delayMs)
  }

  /**
   * Puts a compacted segment, whose files are on disk with the suffix `.cleaned`, in the place of others, so that a crash at any point
   * leaves either it or them. False, with nothing changed, where they are no longer all part of the log.
   */
  async swap(old: readonly Segment[], cleaned: Segment, delayMs: number): Promise<boolean> {
    const { fs, syncs } = this.#context
    const [log, ...indexes] = cleaned.files()
    for (const file of [...indexes, log!]) this.#rename(file, '.cleaned', '.swap')
    // From here on the next start finishes what is begun.
    await syncs.syncDirectory(this.dir)
    // The directory may be another topic's already.
    if (this.#retired) return false
    if (!old.every((segment) => this.#list.includes(segment))) {
      for (const file of cleaned.files()) if (fs.existsSync(file.path)) fs.unlinkSync(file.path)
      return false
    }
    for (const segment of old) this.#remove(segment, delayMs)
    for (const file of [...indexes, log!]) this.#rename(file, '.swap', '')
    this.replace(old, [cleaned])
    await syncs.syncDirectory(this.dir)
    return true
  }

  /** Renamed at once, so that the next start knows; removed from the disk later. */
  #remove(segment: Segment, delayMs: number): void {
    segment.retire()
    for (const file of segment.files()) this.#rename(file, '', '.deleted')
    const paths = segment.files().map((file) => file.path)
    this.#context.deletions.files(paths, delayMs)
  }

  #rename(file: PooledFile, from: string, to: string): void {
    const path = `${file.path.slice(0, file.path.length - from.length)}${to}`
    if (this.#context.fs.existsSync(file.path)) this.#context.fs.renameSync(file.path, path)
    file.moved(path)
  }

  /** Forces to disk what lies at or above an offset, names included, before anything else goes on: for opening. */
  syncNow(offset: number): void {
    const { fs } = this.#context
    const segments = this.#list.slice(this.indexOf(offset)).filter((segment) => segment.size > 0)
    if (segments.length === 0) return
    for (const segment of segments) segment.log.use((fd) => fs.fdatasyncSync(fd))
    syncDirectory(fs, this.dir)
  }

  /** Writes the pages that the system still holds once more, so that the next sync has to deal with them. */
  rewrite(offset: number): void {
    const { fs } = this.#context
    const chunk = Buffer.allocUnsafe(1024 * 1024)
    for (const segment of this.#list.slice(this.indexOf(offset))) {
      const from = segment.baseOffset >= offset ? 0 : segment.offsetIndex.lookup(offset).position
      segment.log.use((fd) => {
        for (let at = from; at < segment.size;) {
          const bytes = fs.readSync(fd, chunk, 0, Math.min(chunk.length, segment.size - at), at)
          for (let done = 0; done < bytes;) done += fs.writeSync(fd, chunk, done, bytes - done, at + done)
          at += bytes
        }
      })
    }
  }

  /**
   * Forces to disk all that is written when it begins, which is at its turn and may be long after the call.
   * @param begins called then
   */
  sync(begins?: () => void): Promise<void> {
    // One at a time: what an earlier one has taken is durable only when it ends.
    const sync = this.#syncing.catch(() => undefined).then(() => this.#context.syncs.turn(() => this.#sync(begins)))
    this.#syncing = sync
    return sync
  }

  async #sync(begins?: () => void): Promise<void> {
    const { syncs } = this.#context
    const directories = [...this.#unsyncedDirectories]
    const files = [...this.#unsynced]
    this.#unsyncedDirectories.clear()
    this.#unsynced.clear()
    begins?.()
    try {
      for (const directory of directories) await syncs.directory(directory)
      for (const file of files) await syncs.file(file)
    } catch (error) {
      for (const directory of directories) this.#unsyncedDirectories.add(directory)
      throw error
    }
  }

  /** Writes and syncs the indexes, as far as they changed. */
  async syncIndexes(): Promise<void> {
    for (const segment of this.#list) {
      try {
        await this.#syncIndexesOf(segment)
      } catch (error) {
        // Compaction and retention go on meanwhile, and take files away: what stands in their place is durable.
        if (this.#list.includes(segment)) throw error
      }
    }
  }

  async #syncIndexesOf(segment: Segment): Promise<void> {
    segment.flushIndexes()
    for (const index of [segment.offsetIndex, segment.timeIndex, segment.transactionIndex]) {
      if (!index.dirty) continue
      index.dirty = false
      try {
        await this.#context.syncs.syncFile(index.file)
      } catch (error) {
        index.dirty = true
        throw error
      }
    }
  }

  /** The directory is about to go away. */
  retire(): void {
    this.#retired = true
    for (const segment of this.#list) segment.retire()
  }

  /** Gives all descriptors back. */
  close(): void {
    for (const segment of this.#list) segment.close()
  }

  /** Makes the directory and Kafka's small files in it, on the first write. */
  #create(): void {
    if (this.#exists) return
    const { fs } = this.#context
    fs.mkdirSync(this.dir, { recursive: true })
    writeFileAtomicallyUnsynced(fs, join(this.dir, 'partition.metadata'), `version: 0\ntopic_id: ${this.#topicId}`)
    writeFileAtomicallyUnsynced(fs, join(this.dir, 'leader-epoch-checkpoint'), `0\n1\n0 ${this.active.baseOffset}\n`)
    this.#unsyncedDirectories.add(dirname(this.dir)).add(this.dir)
    this.#exists = true
  }

  #written(segment: Segment): void {
    this.#unsynced.add(segment.log)
    this.#lastWriteAt = this.#context.clock()
  }

  #writev(fd: number, buffers: readonly Buffer[], position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#context.fs.writev(fd, buffers, position, (error, written) => {
        if (error) reject(error)
        else resolve(written)
      })
    })
  }
}

/** What is left of buffers after their first bytes. */
function remaining(buffers: readonly Buffer[], done: number): Buffer[] {
  const rest: Buffer[] = []
  let skip = done
  for (const buffer of buffers) {
    if (skip < buffer.length) rest.push(buffer.subarray(skip))
    skip = Math.max(0, skip - buffer.length)
  }
  return rest
}
