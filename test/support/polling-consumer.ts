import type { TopicPartition } from '@tidewire/sdk'
import type { GroupConsumer, GroupConsumerOptions, LogClient } from '../../core/src/client/client.ts'
import { flatten, type SeenRecord } from './client-topics.ts'

/** A consumer that polls by itself and notes what it sees. */
export class PollingConsumer {
  readonly seen: SeenRecord[] = []
  readonly events: string[] = []
  readonly consumer: GroupConsumer
  #stopping = false
  readonly #done: Promise<void>

  constructor(client: LogClient, options: Omit<GroupConsumerOptions, 'onAssign' | 'onRevoke' | 'onLost'>) {
    const positions = new Map<string, { topic: string; partition: number; offset: number }>()
    const note = (what: string) => (partitions: readonly TopicPartition[]) => {
      this.events.push(
        `${what} ${partitions
          .map((each) => each.partition)
          .sort()
          .join()}`,
      )
    }
    this.consumer = client.groupConsumer({
      sessionTimeoutMs: 6_000,
      heartbeatIntervalMs: 100,
      ...options,
      onAssign: note('assign'),
      onLost: note('lost'),
      onRevoke: async (partitions) => {
        note('revoke')(partitions)
        await this.consumer.commit([...positions.values()])
        positions.clear()
      },
    })
    this.#done = this.#poll(positions)
  }

  async #poll(positions: Map<string, { topic: string; partition: number; offset: number }>): Promise<void> {
    while (!this.#stopping) {
      const fetched = await this.consumer.poll({ maxWaitMs: 100 })
      this.seen.push(...flatten(fetched))
      for (const { topic, partition, nextOffset } of fetched) {
        positions.set(`${topic}-${partition}`, { topic, partition, offset: nextOffset })
      }
    }
  }

  async close(): Promise<void> {
    this.#stopping = true
    await this.#done
    await this.consumer.close()
  }
}
