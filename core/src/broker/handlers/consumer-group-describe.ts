/** ConsumerGroupDescribe, v0–1 (KIP-848): groups of the newer protocol. v1 which protocol a member speaks */
import { errorCodes } from '../../protocol/errors.ts'
import { consumerGroupDescribe } from '../../protocol/messages/consumer-group-describe.ts'
import { topicPartitions, type PartitionSet } from '../consumer-group/partition-set.ts'
import { defineHandler } from '../handler.ts'
import type { BrokerServices } from '../services.ts'

/** Of members that do not speak the classic protocol, which all members here do not. */
const consumerMember = 1

export const consumerGroupDescribeHandler = defineHandler({
  api: consumerGroupDescribe,
  versions: [0, 1],
  handle(services, { groupIds }) {
    return { groups: groupIds.map((groupId) => describe(services, groupId)) }
  },
})

function describe({ groups, topics }: BrokerServices, groupId: string) {
  const group = groups.consumerGroup(groupId)
  if (group === undefined) {
    const reason = groups.group(groupId) === undefined ? 'not found' : 'is not a consumer group'
    return {
      errorCode: errorCodes.GROUP_ID_NOT_FOUND,
      errorMessage: `Group ${groupId} ${reason}.`,
      groupId,
      groupState: '',
      groupEpoch: 0,
      assignmentEpoch: 0,
      assignorName: '',
      members: [],
    }
  }
  /** Those of topics that are there. */
  const named = (partitions: PartitionSet) => ({
    topicPartitions: topicPartitions(partitions).flatMap((each) => {
      const topic = topics.byId(each.topicId)
      return topic === undefined ? [] : [{ ...each, topicName: topic.name }]
    }),
  })
  return {
    errorCode: errorCodes.NONE,
    groupId,
    groupState: group.state,
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: groups.assignorOf(group),
    members: [...group.members.values()].map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      rackId: member.rackId,
      memberEpoch: member.epoch,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: member.topicNames,
      subscribedTopicRegex: member.topicRegex,
      assignment: named(member.assigned),
      targetAssignment: named(group.targetOf(member.memberId)),
      memberType: consumerMember,
    })),
  }
}
