import type { Cluster } from './cluster.ts'
import type { FetchedRecords, GroupConsumer, GroupConsumerOptions } from './client.ts'

export class LogGroupConsumer implements GroupConsumer {
  constructor(_cluster: Cluster, _options: GroupConsumerOptions) {}
  async poll(): Promise<readonly FetchedRecords[]> {
    return []
  }
  async commit(): Promise<void> {}
  async committed(): Promise<never[]> {
    return []
  }
  seek(): void {}
  pause(): void {}
  resume(): void {}
  assignment(): never[] {
    return []
  }
  async close(): Promise<void> {}
}
