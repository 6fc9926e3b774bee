import { expect, test } from 'vitest'
import { chooseLeader, encodeIdentity, parseAssignment } from './registry-identity.ts'

const identity = (port: number, key?: string) => ({ scheme: 'http', host: 'h', port, eligible: true, key }) as const
const member = (port: number, key?: string) => ({
  memberId: `m${port}`,
  metadata: encodeIdentity(identity(port, key), false),
})

test('the assignment tells the keys of all members, and which is the leader’s', () => {
  const { leader, keys } = parseAssignment(chooseLeader([member(2, 'b'), member(1, 'a')]))
  expect(leader).toEqual({ memberId: 'm1', url: 'http://h:1', key: 'a' })
  expect([...keys]).toEqual(['b', 'a'])
})

test('members and assignments of registries that know nothing of keys', () => {
  const { leader, keys } = parseAssignment(chooseLeader([member(1), member(2, 'b')]))
  expect(leader?.key).toBeUndefined()
  expect([...keys]).toEqual(['b'])
  // As Confluent's writes it.
  const assignment =
    '{"version":1,"error":0,"master":"m1","master_identity":{"version":1,"host":"h","port":1,"master_eligibility":true,"scheme":"http"}}'
  expect(parseAssignment(Buffer.from(assignment))).toMatchObject({ leader: { url: 'http://h:1' }, keys: new Set() })
})
