import { LogError } from '../client/client.ts'

/** This worker cannot be a member of the cluster; what to do about it is in the message. */
export class MembershipError extends Error {
  override readonly name = 'MembershipError'
}

export function membershipError(cause: unknown, groupId: string, workerId: string): MembershipError {
  return new MembershipError(explain(cause, groupId, workerId), { cause })
}

function explain(cause: unknown, groupId: string, workerId: string): string {
  const code = cause instanceof LogError ? cause.code : ''
  switch (code) {
    case 'FENCED_INSTANCE_ID':
      return (
        `Another worker of the cluster '${groupId}' has joined as '${workerId}', which is this worker's name as well: it has taken this one's place. ` +
        `Each worker needs an address of its own: set rest.advertised.host.name and rest.advertised.port so that they differ`
      )
    case 'INCONSISTENT_GROUP_PROTOCOL':
      return (
        `group.id '${groupId}' is used by something other than Tidewire workers, such as a Kafka Connect cluster or a consumer. ` +
        `Stop that, or set another group.id`
      )
    default:
      return `This worker cannot be a member of the cluster '${groupId}': ${String(cause)}`
  }
}
