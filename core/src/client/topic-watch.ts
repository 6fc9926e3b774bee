import type { Cluster } from './cluster.ts'

/** How often a consumer looks for topics that have come, gone or grown. */
const INTERVAL_MS = 5_000
/** How often while a topic that is to be read does not exist: whoever waits for its first records is not kept waiting. */
const MISSING_INTERVAL_MS = 250

/**
 * Which topics a consumer reads, by name or by pattern, and whether that or their size has changed in a way that calls
 * for another round of assignment.
 */
export class TopicWatch {
  readonly #cluster: Cluster
  readonly #wanted: readonly string[] | RegExp
  readonly #onChange: () => void
  readonly #intervalMs: number
  #timer: NodeJS.Timeout | undefined
  #closed = false
  #names: readonly string[]
  /** Of the leader: topics of all members, with the partitions that they had when they were assigned. */
  #assigned = new Map<string, number>()
  #looking = false

  /** @param wanted names, or a pattern, which never matches the log's own topics */
  constructor(cluster: Cluster, wanted: readonly string[] | RegExp, onChange: () => void, intervalMs = INTERVAL_MS) {
    this.#cluster = cluster
    this.#wanted = wanted
    this.#onChange = onChange
    this.#names = wanted instanceof RegExp ? [] : wanted
    this.#intervalMs = intervalMs
    this.#schedule()
  }

  /** As of the last look. */
  get names(): readonly string[] {
    return this.#names
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#closed) return
    const missing = [...this.#assigned.values()].includes(0)
    const waitMs = missing ? Math.min(MISSING_INTERVAL_MS, this.#intervalMs) : this.#intervalMs
    this.#timer = setTimeout(() => void this.#look(), waitMs).unref()
  }

  /**
   * Looks now.
   * @returns whether the names have changed
   * @throws LogError
   */
  async refresh(): Promise<boolean> {
    if (!(this.#wanted instanceof RegExp)) return false
    const pattern = new RegExp(this.#wanted.source, this.#wanted.flags.replace(/[gy]/g, ''))
    const topics = await this.#cluster.allTopics()
    const names = topics.filter((topic) => !topic.internal && pattern.test(topic.name)).map((topic) => topic.name)
    names.sort()
    const changed = names.join() !== this.#names.join()
    this.#names = names
    return changed
  }

  /**
   * As the leader of a group: refreshes these topics, and from now on watches their partitions.
   * @throws LogError
   */
  async watchAsLeader(topics: readonly string[]): Promise<void> {
    await this.#cluster.refresh(topics)
    this.#assigned = new Map(topics.map((topic) => [topic, this.#partitionsOf(topic)]))
    this.#schedule()
  }

  /** No longer the leader, who alone need know of partitions. */
  stopLeading(): void {
    this.#assigned.clear()
  }

  #partitionsOf(topic: string): number {
    return this.#cluster.topic(topic)?.partitions.length ?? 0
  }

  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      let changed = await this.refresh()
      if (this.#assigned.size > 0) {
        await this.#cluster.refresh(this.#assigned.keys())
        for (const [topic, partitions] of this.#assigned) changed ||= this.#partitionsOf(topic) !== partitions
      }
      if (changed) this.#onChange()
    } catch (error) {
      this.#cluster.logger.debug('looking for topics failed', { error: String(error) })
    } finally {
      this.#looking = false
      this.#schedule()
    }
  }
}
