import { consumerGroupDescribe } from '../protocol/messages/consumer-group-describe.ts'
import { describeGroups } from '../protocol/messages/describe-groups.ts'
import { listGroups } from '../protocol/messages/list-groups.ts'
import { decodeAssignment } from './assignors.ts'
import type { GroupDescription, GroupListing, GroupMemberDescription } from './client.ts'
import type { Cluster } from './cluster.ts'
import { brokerError, throwBrokerError, type Connection } from './connection.ts'

/** Groups of all brokers: each knows those that it coordinates. One attempt. @throws LogError */
export async function fetchGroups(cluster: Cluster): Promise<GroupListing[]> {
  await cluster.refresh([])
  const lists = await Promise.all(
    cluster.brokers().map(async (address) => {
      const connection = await cluster.pool.get(address)
      const response = await connection.request(listGroups, { statesFilter: [], typesFilter: [] })
      throwBrokerError(response.errorCode, 'listing groups')
      return response.groups
    }),
  )
  return lists
    .flat()
    .map(({ groupId, protocolType, groupState, groupType }) => ({
      groupId,
      protocolType,
      state: groupState,
      type: groupType === '' ? 'classic' : groupType.toLowerCase(),
    }))
    .sort((a, b) => (a.groupId < b.groupId ? -1 : 1))
}

/** One group with its members; undefined where there is none. One attempt. @throws LogError */
export async function fetchGroup(cluster: Cluster, groupId: string): Promise<GroupDescription | undefined> {
  return cluster.withCoordinator('group', groupId, cluster.pool, async (connection) => {
    const classic = await askClassic(connection, groupId)
    if (classic !== undefined || !connection.speaks(consumerGroupDescribe, 0)) return classic
    return askConsumer(connection, groupId)
  })
}

async function askClassic(connection: Connection, groupId: string): Promise<GroupDescription | undefined> {
  const [group] = (await connection.request(describeGroups, { groups: [groupId] })).groups
  if (group === undefined) return undefined
  const error = brokerError(group.errorCode, `group ${groupId}`, group.errorMessage)
  // A group that is not there, and one of the newer protocol, is dead to this API.
  if (error?.code === 'GROUP_ID_NOT_FOUND' || group.groupState === 'Dead') return undefined
  if (error !== undefined) throw error
  const isConsumer = group.protocolType === 'consumer'
  const members = group.members.map(
    ({ memberId, groupInstanceId, clientId, clientHost, memberAssignment }): GroupMemberDescription => ({
      memberId,
      groupInstanceId,
      clientId,
      host: clientHost,
      assigned: isConsumer ? decodeAssignment(memberAssignment) : [],
    }),
  )
  const { groupState: state, protocolType, protocolData: protocol } = group
  return { groupId, state, type: 'classic', protocolType, protocol, members }
}

async function askConsumer(connection: Connection, groupId: string): Promise<GroupDescription | undefined> {
  const [group] = (
    await connection.request(consumerGroupDescribe, { groupIds: [groupId], includeAuthorizedOperations: false })
  ).groups
  if (group === undefined) return undefined
  const error = brokerError(group.errorCode, `group ${groupId}`, group.errorMessage)
  if (error?.code === 'GROUP_ID_NOT_FOUND') return undefined
  if (error !== undefined) throw error
  const members = group.members.map(
    ({ memberId, instanceId, clientId, clientHost, assignment }): GroupMemberDescription => ({
      memberId,
      groupInstanceId: instanceId,
      clientId,
      host: clientHost,
      assigned: assignment.topicPartitions.flatMap(({ topicName: topic, partitions }) =>
        partitions.map((partition) => ({ topic, partition })),
      ),
    }),
  )
  const { groupState: state, assignorName: protocol } = group
  return { groupId, state, type: 'consumer', protocolType: 'consumer', protocol, members }
}
