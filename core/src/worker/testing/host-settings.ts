/** Of a worker whose threads are tested without a log. */
import { budgetBuffer } from '../byte-budget.ts'
import type { HostSettings } from '../host-messages.ts'
import { endlessLease } from '../lease.ts'

export const hostSettings: HostSettings = {
  bootstrapServers: [],
  requestTimeoutMs: 1000,
  security: {},
  clients: { security: {}, overridePolicy: 'All', producer: {}, consumer: {}, admin: {} },
  configProviders: [],
  workerId: 'w',
  groupId: 'g',
  offsetTopic: 'offsets',
  offsetTopicShape: { partitions: 1 },
  internalTopics: [],
  flushIntervalMs: 1000,
  exactlyOnce: true,
  stalledAfterMs: 60_000,
  createTopics: true,
  trackTopics: true,
  heartbeatMs: 1000,
  budget: budgetBuffer(1 << 20),
  lease: endlessLease(),
  clientModule: 'none',
}
