import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noMetadata, unassigned, type ConsumerMember } from './member.ts'
import { each, noPartitions, partitionSet, type PartitionSet } from './partition-set.ts'
import { reconcile, type ReconcileOptions } from './reconcile.ts'

const set = (...partitions: number[]) => partitionSet([{ topicId: 't', partitions }])
const member = (changes: Partial<ConsumerMember>): ConsumerMember => ({
  memberId: 'm',
  ...noMetadata,
  ...unassigned,
  ...changes,
})
const options = (changes: Partial<ReconcileOptions>): ReconcileOptions => ({
  target: noPartitions,
  targetEpoch: 2,
  isFree: () => true,
  owned: null,
  ...changes,
})

describe('a member on its way to its target', () => {
  test('stays as it is at the epoch of the target', () => {
    const stable = member({ epoch: 2, assigned: set(1) })
    expect(reconcile(stable, options({ target: set(1) }))).toBe(stable)
  })

  test('gets what is free and moves on', () => {
    const moved = reconcile(member({ epoch: 1, assigned: set(1) }), options({ target: set(1, 2) }))
    expect(moved).toMatchObject({ epoch: 2, previousEpoch: 1, state: 'stable', assigned: set(1, 2) })
  })

  test('gives up first, stays in its epoch until it says so, and gets the new then', () => {
    const target = set(2, 3)
    const revoking = reconcile(member({ epoch: 1, assigned: set(1, 2) }), options({ target, owned: set(1, 2) }))
    expect(revoking).toMatchObject({ epoch: 1, state: 'unrevoked', assigned: set(2), pendingRevocation: set(1) })
    expect(reconcile(revoking, options({ target }))).toBe(revoking)
    expect(reconcile(revoking, options({ target, owned: set(1, 2) }))).toBe(revoking)
    expect(reconcile(revoking, options({ target, owned: set(2) }))).toMatchObject({
      epoch: 2,
      state: 'stable',
      assigned: set(2, 3),
      pendingRevocation: noPartitions,
    })
  })

  test('moves on without what others still have, and gets it when it is free', () => {
    const target = set(1, 2)
    const waiting = reconcile(
      member({ epoch: 1, assigned: set(1) }),
      options({ target, isFree: (_, partition) => partition !== 2 }),
    )
    expect(waiting).toMatchObject({ epoch: 2, state: 'unreleased', assigned: set(1) })
    expect(reconcile(waiting, options({ target, isFree: () => false }))).toBe(waiting)
    expect(reconcile(waiting, options({ target }))).toMatchObject({ epoch: 2, state: 'stable', assigned: target })
  })

  test('a newer target meanwhile: what it takes away again is given up too', () => {
    const revoking = member({ epoch: 1, state: 'unrevoked', assigned: set(2), pendingRevocation: set(1) })
    const again = reconcile(revoking, options({ target: set(9), targetEpoch: 3, owned: set(2) }))
    expect(again).toMatchObject({ epoch: 2, state: 'unrevoked', assigned: noPartitions, pendingRevocation: set(2) })
    expect(reconcile(again, options({ target: set(9), targetEpoch: 3, owned: noPartitions }))).toMatchObject({
      epoch: 3,
      state: 'stable',
      assigned: set(9),
    })
  })

  test('who joins again without anything has nothing to give up', () => {
    const moved = reconcile(member({ epoch: 1, assigned: set(1) }), options({ target: set(2), owned: noPartitions }))
    expect(moved).toMatchObject({ epoch: 2, state: 'stable', assigned: set(2) })
  })
})

test('through any order of targets and heartbeats no partition is with two members, and all come to their target', () => {
  const partitions = 6
  const ids = ['a', 'b', 'c']
  const step = fc.oneof(
    // A new target: who gets each partition; 3 stands for nobody.
    fc.array(fc.nat(3), { minLength: partitions, maxLength: partitions }).map((owners) => ({ owners })),
    // A heartbeat, in which the member may say what it has, and may have done what it was told.
    fc.record({ beats: fc.nat(2), tells: fc.boolean(), obeys: fc.boolean() }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const members = new Map(ids.map((memberId) => [memberId, member({ memberId })]))
      /** What each client has: less as soon as it obeys, more when it hears of it. */
      const owned = new Map<string, PartitionSet>(ids.map((id) => [id, noPartitions]))
      let targets = new Map<string, PartitionSet>(ids.map((id) => [id, noPartitions]))
      let targetEpoch = 1
      const isHeld = (by: ConsumerMember, partition: number) =>
        [by.assigned, by.pendingRevocation].some((held) => held.get('t')?.has(partition) === true)
      const beat = (id: string, tells: boolean, obeys: boolean) => {
        const former = members.get(id)!
        if (obeys) owned.set(id, former.assigned)
        const next = reconcile(former, {
          target: targets.get(id)!,
          targetEpoch,
          isFree: (_, partition) => ids.every((other) => other === id || !isHeld(members.get(other)!, partition)),
          owned: tells ? owned.get(id)! : null,
        })
        members.set(id, next)
        const all = ids.flatMap((other) => [...each(owned.get(other)!)].map(([, partition]) => partition))
        expect(new Set(all).size).toBe(all.length)
      }
      for (const each of steps) {
        if ('owners' in each) {
          targetEpoch++
          targets = new Map(
            ids.map((id, i) => [id, set(...each.owners.flatMap((owner, p) => (owner === i ? [p] : [])))]),
          )
        } else beat(ids[each.beats]!, each.tells, each.obeys)
      }
      for (let round = 0; round < 6; round++) for (const id of ids) beat(id, true, true)
      for (const id of ids) {
        expect(members.get(id)).toMatchObject({ state: 'stable', epoch: targetEpoch, assigned: targets.get(id) })
      }
    }),
  )
})
