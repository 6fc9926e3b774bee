/**
 * What members of groups with protocol type `consumer` tell each other through the coordinator: metadata of JoinGroup
 * and assignments of SyncGroup.
 */
import { array, bytes, defineMessage, int32, string } from '../message.ts'

export const consumerProtocolSubscription = defineMessage({
  name: 'ConsumerProtocolSubscription',
  versions: [0, 3],
  readsNewer: true,
  fields: {
    topics: array(string()),
    userData: bytes({ nullable: 0, default: null }),
    /** What a member of a cooperative assignor holds already (KIP-429). */
    ownedPartitions: array({ topic: string(), partitions: array(int32()) }, { from: 1 }),
    generationId: int32({ from: 2, default: -1 }),
    rackId: string({ from: 3, nullable: 3, default: null }),
  },
})

export const consumerProtocolAssignment = defineMessage({
  name: 'ConsumerProtocolAssignment',
  versions: [0, 3],
  readsNewer: true,
  fields: {
    assignedPartitions: array({ topic: string(), partitions: array(int32()) }),
    userData: bytes({ nullable: 0, default: null }),
  },
})
