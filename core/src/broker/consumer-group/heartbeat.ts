/**
 * What a ConsumerGroupHeartbeat does to its group (KIP-848), as records to be written. Pure but for the id of a member that
 * brings none: nothing changes before the records are durable and applied.
 */
import { randomUuid } from '../../log/data-directory.ts'
import { RequestError } from '../kafka-error.ts'
import { assignors } from './assignors.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import {
  joining,
  leaving,
  leftForNow,
  noMetadata,
  sameMetadata,
  sameSubscription,
  unassigned,
  type ConsumerMember,
  type CurrentAssignment,
  type MemberMetadata,
} from './member.ts'
import {
  isWithin,
  noPartitions,
  partitionSet,
  samePartitions,
  type PartitionSet,
  type TopicPartitions,
} from './partition-set.ts'
import { reconcile } from './reconcile.ts'
import type { ConsumerGroupRecord } from './records.ts'
import { metadataHash, type Subscriptions } from './subscriptions.ts'

/** Null, or -1 for the timeout: as it was. */
export interface HeartbeatRequest {
  readonly groupId: string
  readonly memberId: string
  readonly memberEpoch: number
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly rebalanceTimeoutMs: number
  readonly subscribedTopicNames: readonly string[] | null
  readonly subscribedTopicRegex: string | null
  readonly serverAssignor: string | null
  /** What the member has now. */
  readonly topicPartitions: readonly TopicPartitions[] | null
  readonly clientId: string
  readonly clientHost: string
  /** From v1 on members bring their own id. */
  readonly requireMemberId: boolean
}

export interface HeartbeatRules {
  /** Names that members may ask for; the first is taken where none does. */
  readonly assignors: readonly (keyof typeof assignors)[]
  readonly maxSize: number
  readonly subscriptions: Subscriptions
  /** Whether topics may have changed since the group was last looked at. */
  readonly haveTopicsChanged: boolean
  readonly now: number
}

export interface HeartbeatDecision {
  readonly records: readonly ConsumerGroupRecord[]
  readonly memberId: string
  readonly memberEpoch: number
  /** Null: as the member knows it. */
  readonly assignment: PartitionSet | null
}

/**
 * What can be said of a request without its group.
 * @throws RequestError
 */
export function checkRequest(request: HeartbeatRequest, rules: Pick<HeartbeatRules, 'assignors'>): void {
  const { memberId, memberEpoch, serverAssignor } = request
  const refuse = (reason: string): never => {
    throw new RequestError('INVALID_REQUEST', reason)
  }
  if (request.groupId.trim() === '') refuse("GroupId can't be empty.")
  if (request.instanceId?.trim() === '') refuse("InstanceId can't be empty.")
  if (request.rackId?.trim() === '') refuse("RackId can't be empty.")
  if (memberEpoch < leftForNow) refuse(`MemberEpoch is ${memberEpoch}, but must be greater than or equal to -2.`)
  if (memberId.trim() === '' && (request.requireMemberId || memberEpoch !== joining)) refuse("MemberId can't be empty.")
  if (memberEpoch === leftForNow && request.instanceId === null) refuse("InstanceId can't be null.")
  if (memberEpoch === joining) {
    if (request.rebalanceTimeoutMs === -1) refuse('RebalanceTimeoutMs must be provided in first request.')
    if (request.topicPartitions?.length !== 0) refuse('TopicPartitions must be empty when (re-)joining.')
    if (request.subscribedTopicNames === null && request.subscribedTopicRegex === null) {
      refuse('Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.')
    }
  }
  if (serverAssignor !== null && !rules.assignors.some((name) => name === serverAssignor)) {
    const known = rules.assignors.join(', ')
    const reason = `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ${known}.`
    throw new RequestError('UNSUPPORTED_ASSIGNOR', reason)
  }
}

/**
 * A member joins, goes on or leaves.
 * @throws RequestError
 */
export function decideHeartbeat(
  group: ConsumerGroup,
  request: HeartbeatRequest,
  rules: HeartbeatRules,
): HeartbeatDecision {
  return request.memberEpoch < joining ? decideLeave(group, request, rules) : decideStay(group, request, rules)
}

/** Takes a member out, whether it wants it or not: the others get its partitions. */
export function removal(
  group: ConsumerGroup,
  memberId: string,
  subscriptions: Subscriptions,
): readonly ConsumerGroupRecord[] {
  const others = [...group.members.values()].filter((member) => member.memberId !== memberId)
  const value = { epoch: group.epoch + 1, metadataHash: metadataHash(subscriptions.union(others)) }
  return [...tombstones(memberId), { kind: 'group epoch', value }]
}

function tombstones(memberId: string): ConsumerGroupRecord[] {
  return [
    { kind: 'current', memberId, value: null },
    { kind: 'target', memberId, value: null },
    { kind: 'member', memberId, value: null },
  ]
}

function decideLeave(group: ConsumerGroup, request: HeartbeatRequest, rules: HeartbeatRules): HeartbeatDecision {
  const { memberId, memberEpoch, instanceId } = request
  const member = instanceId === null ? group.members.get(memberId) : staticMember(group, memberId, instanceId)
  if (member === undefined) throw unknownMember(group, memberId)
  const answer = { memberId, memberEpoch, assignment: null }
  if (memberEpoch === leaving) return { ...answer, records: removal(group, memberId, rules.subscriptions) }
  // It keeps its partitions for whoever comes back with its instance id within the session.
  const value: CurrentAssignment = {
    epoch: leftForNow,
    previousEpoch: member.previousEpoch,
    state: 'stable',
    assigned: member.assigned,
    pendingRevocation: noPartitions,
  }
  return { ...answer, records: [{ kind: 'current', memberId, value }] }
}

function decideStay(group: ConsumerGroup, request: HeartbeatRequest, rules: HeartbeatRules): HeartbeatDecision {
  const memberId = request.memberId === '' ? randomUuid() : request.memberId
  const { member: before, replaced } = admit(group, memberId, request)
  const known = group.members.get(memberId)
  const isMore = known === undefined && replaced === null
  if (isMore && group.members.size >= rules.maxSize) {
    const reason = `The consumer group has reached its maximum capacity of ${rules.maxSize} members.`
    throw new RequestError('GROUP_MAX_SIZE_REACHED', reason)
  }
  const records: ConsumerGroupRecord[] = replaced === null ? [] : tombstones(replaced)

  const member: ConsumerMember = { ...before, ...metadataIn(request, before) }
  rules.subscriptions.check(member)
  if (known === undefined || !sameMetadata(known, member)) {
    records.push({ kind: 'member', memberId, value: metadataOf(member) })
  }
  // Only where it matters: most heartbeats change nothing, and groups may be large.
  const members = () => {
    const after = new Map(group.members).set(memberId, member)
    if (replaced !== null) after.delete(replaced)
    return after
  }

  // One member for another, with the same subscription, leaves the assignment as it is.
  const isOneForOne = (known === undefined) === (replaced !== null)
  const epoch = nextEpoch(group, members, !isOneForOne || !sameSubscription(before, member), rules, records)
  const former = replaced === null ? group.targetOf(memberId) : group.targetOf(replaced)
  let target = former
  if (epoch > group.assignmentEpoch) {
    const targets = assign(group, members(), replaced === null ? [] : [[memberId, former]], rules)
    target = targets.get(memberId) ?? noPartitions
    for (const [id, next] of targets) {
      if (!samePartitions(next, group.targetOf(id))) records.push({ kind: 'target', memberId: id, value: next })
    }
    records.push({ kind: 'assignment epoch', value: { epoch, timestamp: rules.now } })
  } else if (replaced !== null) records.push({ kind: 'target', memberId, value: target })

  const reconciled = reconcile(member, {
    target,
    targetEpoch: Math.max(epoch, group.assignmentEpoch),
    isFree: (topicId, partition) => {
      const owner = group.ownerOf(topicId, partition)
      return owner === undefined || owner === memberId || owner === replaced
    },
    owned: request.topicPartitions === null ? null : partitionSet(request.topicPartitions),
  })
  if (known === undefined || reconciled !== member) {
    records.push({ kind: 'current', memberId, value: currentOf(reconciled) })
  }
  // Who says all that it knows asks for all that there is to know.
  const isFull =
    request.memberEpoch === joining ||
    (request.rebalanceTimeoutMs !== -1 && request.topicPartitions !== null && isSubscribing(request))
  const hasChanged = !samePartitions(reconciled.assigned, before.assigned)
  return {
    records,
    memberId,
    memberEpoch: reconciled.epoch,
    assignment: isFull || hasChanged ? reconciled.assigned : null,
  }
}

function isSubscribing({ subscribedTopicNames, subscribedTopicRegex }: HeartbeatRequest): boolean {
  return subscribedTopicNames !== null || subscribedTopicRegex !== null
}

/**
 * The member that the request speaks for: as it is, or new, or in place of a static one that has left.
 * @returns replaced: the id of that one
 */
function admit(
  group: ConsumerGroup,
  memberId: string,
  request: HeartbeatRequest,
): { member: ConsumerMember; replaced: string | null } {
  const { memberEpoch, instanceId } = request
  const isJoining = memberEpoch === joining
  const known =
    instanceId === null || isJoining ? group.members.get(memberId) : staticMember(group, memberId, instanceId)
  const holder = instanceId === null ? undefined : group.staticMember(instanceId)
  if (isJoining && holder !== undefined && holder.memberId !== memberId) {
    if (holder.epoch !== leftForNow) {
      const reason = `Static member ${memberId} with instance id ${instanceId} cannot join the group because the instance id is owned by ${holder.memberId} member.`
      throw new RequestError('UNRELEASED_INSTANCE_ID', reason)
    }
    return { member: { ...holder, memberId, epoch: 0, previousEpoch: 0 }, replaced: holder.memberId }
  }
  if (known === undefined) {
    if (!isJoining) throw unknownMember(group, memberId)
    return { member: { memberId, ...noMetadata, ...unassigned }, replaced: null }
  }
  // Who joins again says that it has nothing: no epoch of it can be wrong.
  if (!isJoining) checkEpoch(known, request)
  return { member: known, replaced: null }
}

function unknownMember(group: ConsumerGroup, memberId: string): RequestError {
  return new RequestError('UNKNOWN_MEMBER_ID', `Member ${memberId} is not a member of group ${group.id}.`)
}

function staticMember(group: ConsumerGroup, memberId: string, instanceId: string): ConsumerMember {
  const holder = group.staticMember(instanceId)
  if (holder === undefined) throw new RequestError('UNKNOWN_MEMBER_ID', `Instance id ${instanceId} is unknown.`)
  if (holder.memberId === memberId) return holder
  const reason = `Static member ${memberId} with instance id ${instanceId} was fenced by member ${holder.memberId}.`
  throw new RequestError('FENCED_INSTANCE_ID', reason)
}

function checkEpoch(member: ConsumerMember, { memberEpoch, topicPartitions }: HeartbeatRequest): void {
  if (memberEpoch === member.epoch) return
  // The answer that told it of its epoch may be lost; then it has nothing that it should not have.
  const isOneBehind = memberEpoch === member.previousEpoch && topicPartitions !== null
  if (isOneBehind && isWithin(partitionSet(topicPartitions), member.assigned)) return
  const size = memberEpoch > member.epoch ? 'greater' : 'smaller'
  const reason = `The consumer group member has a ${size} member epoch (${memberEpoch}) than the one known by the group coordinator (${member.epoch}). The member must abandon all its partitions and rejoin.`
  throw new RequestError('FENCED_MEMBER_EPOCH', reason)
}

function metadataIn(request: HeartbeatRequest, before: MemberMetadata): MemberMetadata {
  const { subscribedTopicNames: names, subscribedTopicRegex: regex, rebalanceTimeoutMs } = request
  return {
    instanceId: request.instanceId ?? before.instanceId,
    rackId: request.rackId ?? before.rackId,
    clientId: request.clientId,
    clientHost: request.clientHost,
    topicNames: names === null ? before.topicNames : [...new Set(names)].sort(),
    topicRegex: regex === null ? before.topicRegex : regex === '' ? null : regex,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? before.rebalanceTimeoutMs : rebalanceTimeoutMs,
    serverAssignor: request.serverAssignor ?? before.serverAssignor,
  }
}

function metadataOf(member: ConsumerMember): MemberMetadata {
  const { instanceId, rackId, clientId, clientHost, topicNames, topicRegex, rebalanceTimeoutMs, serverAssignor } =
    member
  return { instanceId, rackId, clientId, clientHost, topicNames, topicRegex, rebalanceTimeoutMs, serverAssignor }
}

function currentOf({ epoch, previousEpoch, state, assigned, pendingRevocation }: ConsumerMember): CurrentAssignment {
  return { epoch, previousEpoch, state, assigned, pendingRevocation }
}

/** A new one where members or topics have changed; noted in the records then. */
function nextEpoch(
  group: ConsumerGroup,
  members: () => ReadonlyMap<string, ConsumerMember>,
  haveMembersChanged: boolean,
  { subscriptions, haveTopicsChanged }: HeartbeatRules,
  records: ConsumerGroupRecord[],
): number {
  if (!haveMembersChanged && !haveTopicsChanged) return group.epoch
  const hash = metadataHash(subscriptions.union(members().values()))
  if (!haveMembersChanged && hash === group.metadataHash) return group.epoch
  const epoch = group.epoch + 1
  records.push({ kind: 'group epoch', value: { epoch, metadataHash: hash } })
  return epoch
}

/** @param inherited what members are meant to have that the group does not know yet */
function assign(
  group: ConsumerGroup,
  members: ReadonlyMap<string, ConsumerMember>,
  inherited: readonly (readonly [memberId: string, current: PartitionSet])[],
  rules: HeartbeatRules,
): Map<string, PartitionSet> {
  const { subscriptions } = rules
  const current = new Map(inherited)
  const counts = new Map<string, number>()
  const wanting = [...members.values()].map((member) => {
    const topics = new Set<string>()
    for (const { id, partitions } of subscriptions.of(member)) {
      topics.add(id)
      counts.set(id, partitions)
    }
    const { memberId, instanceId } = member
    return { memberId, instanceId, topics, current: current.get(memberId) ?? group.targetOf(memberId) }
  })
  return assignors[preferredAssignor(members.values(), rules)](wanting, counts)
}

/** The one that most members ask for. */
export function preferredAssignor(
  members: Iterable<MemberMetadata>,
  rules: Pick<HeartbeatRules, 'assignors'>,
): keyof typeof assignors {
  const votes = new Map<string, number>()
  for (const { serverAssignor } of members) {
    if (serverAssignor !== null) votes.set(serverAssignor, (votes.get(serverAssignor) ?? 0) + 1)
  }
  const first = rules.assignors[0]!
  return rules.assignors.reduce((a, b) => ((votes.get(b) ?? 0) > (votes.get(a) ?? 0) ? b : a), first)
}
