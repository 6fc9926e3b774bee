import { expect, test, vi } from 'vitest'
import type { GroupMemberOptions, GroupMembership, LogClient, Producer } from '../client/client.ts'
import { silentLogger } from '../logging/logger.ts'
import { Leadership } from './leadership.ts'
import { chooseLeader, encodeIdentity, type RegistryIdentity } from './registry-identity.ts'

const registry = (host: string): RegistryIdentity => ({ scheme: 'http', host, port: 8081, eligible: true })
const members = ['a', 'b'].map((host) => ({ memberId: host, metadata: encodeIdentity(registry(host), false) }))

/** A group of two, in which this registry is the one told. */
class Group {
  closed = 0
  mustRejoin = true
  #memberId = 'a'
  #changed: (() => void) | undefined

  /** Another round, in which this registry is the other of the two. */
  giveToOther(): void {
    this.#memberId = 'b'
    this.mustRejoin = true
    this.#changed?.()
  }

  client(): LogClient {
    const producer = {
      initTransactions: async () => Promise.resolve(),
      close: async () => {
        await Promise.resolve()
        this.closed++
      },
    } as unknown as Producer
    return {
      producer: () => producer,
      groupMember: (options: GroupMemberOptions) => this.#member(options),
    } as LogClient
  }

  #member({ onChange }: GroupMemberOptions): GroupMembership {
    this.#changed = onChange
    const mustRejoin = (): boolean => this.mustRejoin
    return {
      get mustRejoin() {
        return mustRejoin()
      },
      check: async () => Promise.resolve(),
      leave: async () => Promise.resolve(),
      join: async () => {
        await Promise.resolve()
        this.mustRejoin = false
        return { assignment: chooseLeader(members), memberId: this.#memberId }
      },
    } as GroupMembership
  }
}

test('another is chosen while this one still reads what earlier leaders wrote: it does not lead', async () => {
  const group = new Group()
  const read = Promise.withResolvers<void>()
  const readToEnd = vi.fn(async () => read.promise)
  const leadership = new Leadership({
    client: group.client(),
    groupId: 'registries',
    identity: registry('a'),
    sessionTimeoutMs: 10_000,
    heartbeatIntervalMs: 3_000,
    rebalanceTimeoutMs: 10_000,
    readToEnd,
    logger: silentLogger,
    onChange: () => undefined,
  })
  leadership.start()
  await vi.waitFor(() => expect(readToEnd).toHaveBeenCalled(), { timeout: 30_000 })
  expect(leadership.isChosen).toBe(true)
  group.giveToOther()
  await vi.waitFor(() => expect(leadership.leaderUrl).toBe('http://a:8081'), { timeout: 30_000 })
  read.resolve()
  await vi.waitFor(() => expect(group.closed).toBe(1), { timeout: 30_000 })
  expect(leadership.leads).toBe(false)
  await leadership.close()
})
