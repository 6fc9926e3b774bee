import { join } from 'node:path'
import type { Logger } from '../logging/logger.ts'
import { randomUuid } from './data-directory.ts'
import type { FileDeletions } from './file-deletions.ts'
import { isNotFound, syncDirectory } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import type { StoredTopic, TopicStore } from './topic-store.ts'

export interface RemovalHost {
  readonly fs: FileSystem
  readonly dir: string
  readonly store: TopicStore
  readonly deletions: FileDeletions
  readonly logger: Logger
  /** `file.delete.delay.ms` of a topic. */
  readonly delayMs: (topic: StoredTopic) => number
}

/** Takes the directories of deleted topics away. */
export class TopicRemoval {
  readonly #host: RemovalHost

  constructor(host: RemovalHost) {
    this.#host = host
  }

  /** What an earlier process left: topics it did not get to, and directories whose time had not come. */
  finish(): void {
    const { fs, dir, store, deletions } = this.#host
    for (const topic of store.deleted.values()) this.remove(topic)
    for (const name of fs.readdirSync(dir)) if (name.endsWith('-delete')) deletions.directory(join(dir, name), 0)
  }

  /** Before a partition of this name is opened: a deleted topic may still have its directory. */
  makeWay(name: string): void {
    for (const deleted of this.#host.store.deleted.values()) if (deleted.name === name) this.remove(deleted)
  }

  /** Moves the directories out of the way at once, so that the name is free, and removes them later. */
  remove(topic: StoredTopic): void {
    const { fs, dir, store, deletions, logger, delayMs } = this.#host
    try {
      for (let i = 0; i < topic.partitions; i++) {
        const from = join(dir, `${topic.name}-${i}`)
        if (!fs.existsSync(from) || !this.#belongsTo(from, topic)) continue
        const to = join(dir, `${topic.id}.${i}.${randomUuid()}-delete`)
        fs.renameSync(from, to)
        deletions.directory(to, delayMs(topic))
      }
      syncDirectory(fs, dir)
      store.deleted.delete(topic.id)
      store.save()
    } catch (error) {
      logger.warn('Files of a deleted topic are left until the next start', { topic: topic.name, error: String(error) })
    }
  }

  /** A topic of the same name may have been made since. */
  #belongsTo(dir: string, topic: StoredTopic): boolean {
    try {
      return this.#host.fs.readFileSync(join(dir, 'partition.metadata'), 'utf8').includes(`topic_id: ${topic.id}`)
    } catch (error) {
      if (isNotFound(error)) return true
      throw error
    }
  }
}
