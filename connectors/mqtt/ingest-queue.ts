import type { SourceBatch, SourceOffset, SourcePartition, SourceRecord, SourceTaskContext } from '@tidewire/sdk'

/** One side that messages come from: a device's connection to the gateway, or the source's connection to a broker. */
export interface MessageOrigin {
  /** Bytes of its messages that are not yet settled. Kept by the queue. */
  heldBytes: number
  /** Whether it waits for a {@link MessageOrigin.flush} at the end of this round. Kept by the queue. */
  flushDue: boolean
  /** A message is in the log: the acknowledgement that `ticket` stands for may go out. In the order of arrival. */
  acknowledge(ticket: number): void
  /** Called once after a run of acknowledgements: now write them. */
  flush(): void
  /** There is room again: read on. Called once after {@link IngestQueue.add} answered no. */
  resume(): void
}

// Batches of a few hundred records serve the runtime best; what is more waits for the next.
const maxBatchRecords = 500
const maxBatchBytes = 512 * 1024

/** By how much what waits has to change for the runtime to be told. */
const toldStepBytes = 16 * 1024

/** The ticket of a message that nobody is to be told about (QoS 0). */
export const noTicket = -1

/** Messages on their way into the log, with what is owed for each. Side by side, to have no object or closure a record. */
class IngestBatch implements SourceBatch {
  readonly records: SourceRecord[] = []
  readonly offsets: { partition: SourcePartition; offset: SourceOffset }[] = []
  bytes = 0
  readonly #queue: IngestQueue
  readonly #origins: MessageOrigin[] = []
  readonly #tickets: number[] = []
  readonly #sizes: number[] = []

  constructor(queue: IngestQueue) {
    this.#queue = queue
  }

  get isFull(): boolean {
    return this.#origins.length >= maxBatchRecords || this.bytes >= maxBatchBytes
  }

  add(origin: MessageOrigin, record: SourceRecord | undefined, size: number, ticket: number): void {
    if (record !== undefined) this.records.push(record)
    this.#origins.push(origin)
    this.#tickets.push(ticket)
    this.#sizes.push(size)
    this.bytes += size
  }

  /** An arrow, since the runtime calls it apart from the batch. */
  readonly durable = (): void => {
    const dirty: MessageOrigin[] = []
    for (const [index, origin] of this.#origins.entries()) {
      origin.heldBytes -= this.#sizes[index]!
      const ticket = this.#tickets[index]!
      if (ticket === noTicket) continue
      origin.acknowledge(ticket)
      if (!origin.flushDue) {
        origin.flushDue = true
        dirty.push(origin)
      }
    }
    for (const origin of dirty) {
      origin.flushDue = false
      origin.flush()
    }
    this.#queue.settled(this)
  }
}

/**
 * What stands between sockets and log: messages come in one by one, and go out in batches of whatever arrived since
 * the last was taken. Nothing waits for a batch to fill: a broker that may have only twenty messages on their way
 * would never send the one that fills it.
 *
 * Bounded in bytes, in all and for each origin: from {@link IngestQueue.add} to the acknowledgement by the log; and by the
 * memory that the tasks of the worker share, which counts what waits here to be taken.
 */
export class IngestQueue {
  readonly #room: Pick<SourceTaskContext<unknown>, 'maxBufferedBytes' | 'holds'>
  readonly #maxBytes: number
  readonly #maxBytesPerOrigin: number
  #heldBytes = 0
  /** Of those that are held: not taken yet. */
  #waitingBytes = 0
  #toldBytes = 0
  /** The answer of the runtime to what it was told. */
  #hasRoom = true
  #unsettled = 0
  #ready: IngestBatch[] = []
  #filling: IngestBatch | undefined
  #held = new Set<MessageOrigin>()
  #wake: (() => void) | undefined
  #wakeSoon = false
  #ended = false
  #failure: Error | undefined
  #onSettled: (() => void) | undefined

  /** @param shares how many origins it takes to use all of the room: no single one gets more than its share */
  constructor(room: Pick<SourceTaskContext<unknown>, 'maxBufferedBytes' | 'holds'>, shares = 1) {
    this.#room = room
    this.#maxBytes = room.maxBufferedBytes
    this.#maxBytesPerOrigin = Math.ceil(this.#maxBytes / shares)
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /**
   * Takes a message, or with no record the mere acknowledgement of one that is not to be delivered, so that it keeps
   * its place in the order. It is always taken; the answer is whether the origin may read on. If not, its `resume` is
   * called when there is room.
   */
  add(origin: MessageOrigin, record: SourceRecord | undefined, size: number, ticket: number): boolean {
    this.#filling ??= this.#newBatch()
    this.#filling.add(origin, record, size, ticket)
    this.#heldBytes += size
    this.#waitingBytes += size
    if (this.#waitingBytes - this.#toldBytes >= toldStepBytes) this.#tell()
    origin.heldBytes += size
    if (this.#filling.isFull) {
      this.#ready.push(this.#filling)
      this.#filling = undefined
    }
    this.#wakeUpSoon()
    if (this.#hasRoom && this.#heldBytes < this.#maxBytes && origin.heldBytes < this.#maxBytesPerOrigin) return true
    this.#held.add(origin)
    return false
  }

  /** Has a position stored after all that was taken so far. */
  addOffset(partition: SourcePartition, offset: SourceOffset): void {
    this.#filling ??= this.#newBatch()
    this.#filling.offsets.push({ partition, offset })
    this.#wakeUpSoon()
  }

  #newBatch(): IngestBatch {
    this.#unsettled++
    return new IngestBatch(this)
  }

  /** After this turn of the event loop, so that what other sockets have ready goes into the same batch. */
  #wakeUpSoon(): void {
    if (this.#wake === undefined || this.#wakeSoon) return
    this.#wakeSoon = true
    setImmediate(() => {
      this.#wakeSoon = false
      this.#wakeUp()
    })
  }

  #wakeUp(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  /** Batches until {@link IngestQueue.end} and then what is left. One reader at a time. */
  async *batches(): AsyncGenerator<SourceBatch, void, undefined> {
    while (true) {
      if (this.#failure !== undefined) throw this.#failure
      const batch = this.#ready.shift() ?? this.#filling
      if (batch !== undefined) {
        if (batch === this.#filling) this.#filling = undefined
        this.#waitingBytes -= batch.bytes
        this.#tell()
        yield batch
      } else if (this.#ended) {
        return
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }

  /** Nothing more will be added. */
  end(): void {
    this.#ended = true
    this.#wakeUp()
  }

  /** Ends the reader with an error, which is the task's. */
  fail(error: Error): void {
    this.#failure ??= error
    this.#wakeUp()
  }

  /** For batches only: all of its messages are in the log. */
  settled(batch: IngestBatch): void {
    this.#heldBytes -= batch.bytes
    this.#unsettled--
    if (this.#unsettled === 0) this.#onSettled?.()
    if (this.#held.size === 0 || this.#heldBytes > this.#maxBytes / 2) return
    this.#tell()
    // With nothing under way, nothing else would let them go on.
    if (!this.#hasRoom && this.#unsettled > 0) return
    for (const origin of this.#held) {
      if (origin.heldBytes > this.#maxBytesPerOrigin / 2) continue
      this.#held.delete(origin)
      origin.resume()
    }
  }

  #tell(): void {
    this.#toldBytes = this.#waitingBytes
    this.#hasRoom = this.#room.holds(this.#waitingBytes)
  }

  /** An origin is gone: it is not to be resumed. */
  forget(origin: MessageOrigin): void {
    this.#held.delete(origin)
  }

  /** Waits until everything taken is settled, for so long at most. */
  async whenSettled(timeoutMs: number): Promise<boolean> {
    if (this.#unsettled === 0) return true
    return await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => {
        this.#onSettled = undefined
        resolve(false)
      }, timeoutMs)
      this.#onSettled = () => {
        clearTimeout(timer)
        this.#onSettled = undefined
        resolve(true)
      }
    })
  }
}
