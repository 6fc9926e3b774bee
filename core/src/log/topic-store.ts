import { join } from 'node:path'
import { messageOf } from '../logging/message-of.ts'
import { DataDirectoryError } from './errors.ts'
import { isNotFound, writeFileAtomically } from './file-system.ts'
import type { FileSystem } from './file-system.ts'

/** What is kept of a topic. */
export interface StoredTopic {
  readonly name: string
  readonly id: string
  readonly partitions: number
  readonly config: Readonly<Record<string, string>>
}

interface TopicsFile {
  readonly version: number
  readonly topics: readonly StoredTopic[]
  /** Deleted topics whose directories may still bear their names. */
  readonly deleted: readonly StoredTopic[]
}

const FILE = 'topics.json'
const VERSION = 1

/** The topics of a data directory, in one file that is replaced as a whole: what it says is what there is. */
export class TopicStore {
  readonly #fs: FileSystem
  readonly #dir: string
  readonly topics = new Map<string, StoredTopic>()
  readonly deleted = new Map<string, StoredTopic>()

  /** @throws DataDirectoryError where the file does not read */
  constructor(fs: FileSystem, dir: string) {
    this.#fs = fs
    this.#dir = dir
    const file = this.#read()
    for (const topic of file?.topics ?? []) this.topics.set(topic.name, topic)
    for (const topic of file?.deleted ?? []) this.deleted.set(topic.id, topic)
  }

  /** Writes what the maps say; durable when it returns. The caller undoes its change when this throws. */
  save(): void {
    const file: TopicsFile = {
      version: VERSION,
      topics: [...this.topics.values()],
      deleted: [...this.deleted.values()],
    }
    writeFileAtomically(this.#fs, this.#dir, FILE, `${JSON.stringify(file)}\n`)
  }

  #read(): TopicsFile | undefined {
    let text: string
    try {
      text = this.#fs.readFileSync(join(this.#dir, FILE), 'utf8')
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
    try {
      const file = JSON.parse(text) as TopicsFile
      if (file.version !== VERSION) {
        throw new Error(`version ${file.version}; this version reads up to ${VERSION}`)
      }
      return file
    } catch (error) {
      throw new DataDirectoryError(`${join(this.#dir, FILE)} cannot be read: ${messageOf(error)}`, { cause: error })
    }
  }
}
