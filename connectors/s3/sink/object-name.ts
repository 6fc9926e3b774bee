import { DataError, originalPosition, type SinkRecord, type TopicPartition } from '@tidewire/sdk'
import type { S3SinkConfig } from './settings.ts'

/** The store's limit of a name's length. */
const maxNameBytes = 1024

/**
 * Names of objects, as Confluent's connector gives them: `<topics.dir>/<topic>/<encoded partition>/<topic>+<partition>+<offset>`,
 * and the format's extension. Where a transform gave a record another topic, the one that it came from stands before the
 * partition, since offsets are unique in that one alone: `…/<topic>+<its topic in the log>+<partition>+<offset>`.
 */
export class ObjectNames {
  readonly #folder: string
  readonly #dirDelim: string
  readonly #fileDelim: string
  readonly #digits: number
  readonly #suffix: string

  /** @param redrive of a run that puts dead letters again: with it names are like no others */
  constructor(config: S3SinkConfig, redrive: string | undefined) {
    this.#dirDelim = config['directory.delim']
    this.#fileDelim = config['file.delim']
    this.#digits = config['filename.offset.zero.pad.width']
    this.#folder = config['topics.dir'] === '' ? '' : config['topics.dir'] + this.#dirDelim
    this.#suffix = redrive === undefined ? '' : `${this.#fileDelim}redrive-${redrive}`
  }

  /** What all names begin with. */
  get folder(): string {
    return this.#folder
  }

  /**
   * Less the extension.
   * @param first the object's first record
   * @throws DataError where the name cannot be given
   */
  of(first: SinkRecord, encodedPartition: string): string {
    const { topic, partition, offset } = originalPosition(first)
    const segments = encodedPartition.split(this.#dirDelim)
    if (segments.includes('..') || segments.includes('.')) {
      throw new DataError(`the folder "${encodedPartition}" would lead elsewhere`)
    }
    const name =
      this.#folder +
      [first.topic, encodedPartition, this.#partitionPart(first.topic, topic, partition)].join(this.#dirDelim) +
      String(offset).padStart(this.#digits, '0') +
      this.#suffix
    // Extensions have room beside it.
    if (Buffer.byteLength(name) > maxNameBytes - 50) {
      throw new DataError(`the folder "${encodedPartition.slice(0, 100)}…" makes the object’s name too long`)
    }
    return name
  }

  #partitionPart(topic: string, original: string, partition: number): string {
    const topics = topic === original ? [topic] : [topic, original]
    return [...topics, String(partition), ''].join(this.#fileDelim)
  }

  /** Where in the log an object's records came from, by its name; undefined: it is none of the sink's. */
  partitionOf(name: string): (TopicPartition & { readonly isRedrive: boolean }) | undefined {
    if (!name.startsWith(this.#folder)) return undefined
    const file = name.slice(name.lastIndexOf(this.#dirDelim) + this.#dirDelim.length)
    const parts = file.split(this.#fileDelim)
    const isRedrive = parts.at(-1)!.startsWith('redrive-')
    const [offset, partition, topic] = parts.slice(0, isRedrive ? -1 : undefined).reverse()
    if (topic === undefined || !/^\d+/.test(offset!) || !/^\d+$/.test(partition!)) return undefined
    return { topic, partition: Number(partition), isRedrive }
  }
}
