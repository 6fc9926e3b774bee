import { setTimeout as sleep } from 'node:timers/promises'
import { LogError, type LogClient } from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import {
  assignmentKey,
  parseAssignment,
  parseWorker,
  workerIdOf,
  type Assignment,
  type WorkerRecord,
} from './assignment-records.ts'
import { TopicLog, type TopicLogRecord } from './topic-log.ts'

export interface AssignmentsTopicOptions {
  readonly client: LogClient
  readonly topic: string
  readonly groupId: string
  readonly logger: Logger
  /** A worker has said something of itself; undefined: it is taken for one that has gone for good. */
  readonly onWorker: (workerId: string, record: WorkerRecord | undefined, before: WorkerRecord | undefined) => void
  /** Of several that came together, the newest. */
  readonly onAssignment: (assignment: Assignment) => void
  /** After the above: all that came together has been told, and workers' records were among it. */
  readonly onWorkersTold: () => void
}

/** The assignments topic, as far as it is about one group. */
export class AssignmentsTopic {
  readonly log: TopicLog
  /** What workers last said of themselves. */
  readonly records = new Map<string, WorkerRecord>()
  readonly #options: AssignmentsTopicOptions
  /** The newest assignment's text, until it has been looked at. */
  #unread: string | undefined
  #workersTold = false
  #hasMetStranger = false

  constructor(options: AssignmentsTopicOptions) {
    this.#options = options
    this.log = new TopicLog({ ...options, onRecord: (record) => this.#read(record), onBatch: () => this.#follow() })
  }

  /** Reads to the present end, and follows it from then on. The log may be away for a while; resolves when aborted, too. */
  async start(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        await this.log.start()
        return
      } catch (error) {
        if (!(error instanceof LogError) || !error.retriable) throw error
        if (failures === 0) this.#options.logger.warn('waiting for the log', { error: error.message })
        await sleep(Math.min(50 * 2 ** failures, 2000), undefined, { signal }).catch(() => undefined)
      }
    }
  }

  #read({ key, value }: TopicLogRecord): void {
    const { groupId } = this.#options
    if (key === assignmentKey(groupId)) {
      if (value !== null) this.#unread = value
      return
    }
    const workerId = workerIdOf(groupId, key)
    if (workerId === undefined) {
      this.#meetStranger(key)
    } else if (value === null) {
      const before = this.records.get(workerId)
      this.records.delete(workerId)
      this.#options.onWorker(workerId, undefined, before)
    } else {
      this.#parsed(key, () => this.#heard(workerId, parseWorker(groupId, value)))
    }
  }

  /** Topics that two clusters share are a mistake that nothing else would tell. */
  #meetStranger(key: string): void {
    const prefix = assignmentKey('')
    if (this.#hasMetStranger || !key.startsWith(prefix)) return
    this.#hasMetStranger = true
    const { topic, groupId, logger } = this.#options
    logger.warn(
      'the assignments topic is that of another group.id too: where two clusters share config.storage.topic, each runs all connectors',
      { topic, group: groupId, other: key.slice(prefix.length) },
    )
  }

  #heard(workerId: string, record: WorkerRecord | undefined): void {
    if (record === undefined) return
    const before = this.records.get(workerId)
    this.records.set(workerId, record)
    this.#workersTold = true
    this.#options.onWorker(workerId, record, before)
  }

  /** Takes in what has been read together; of several assignments the newest is all that matters. */
  #follow(): void {
    const { groupId, onAssignment, onWorkersTold } = this.#options
    const text = this.#unread
    this.#unread = undefined
    if (text !== undefined) {
      this.#parsed(assignmentKey(groupId), () => {
        const assignment = parseAssignment(groupId, text)
        if (assignment !== undefined) onAssignment(assignment)
      })
    }
    if (this.#workersTold) onWorkersTold()
    this.#workersTold = false
  }

  #parsed(key: string, parse: () => void): void {
    try {
      parse()
    } catch (error) {
      const { topic, logger } = this.#options
      logger.error('ignoring a record of the assignments topic', { topic, key, error: (error as Error).message })
    }
  }
}
