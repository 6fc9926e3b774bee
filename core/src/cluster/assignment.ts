/**
 * The leader's decision as a pure function: from the assignment in force and what has become of the workers and of the
 * work, the next assignment.
 *
 * A unit is with one worker at a time. It moves in two steps: the assignment lists it among what its worker is `giving`;
 * and once the worker has said that it has stopped, or is out of the group, a next assignment gives it to another.
 */
import type { Assignment, Giving, WorkerPart, WorkerRecord } from './assignment-records.ts'
import type { Unit } from './cluster.ts'
import { place, type PlacedUnit } from './placement.ts'
import { unitKey, type UnitKey } from './unit-key.ts'

export interface DecisionInputs {
  /** The group's generation. */
  readonly round: number
  /** Worker id of whoever decides. */
  readonly leader: string
  /** In the group as of this round, by worker id. */
  readonly members: ReadonlyMap<string, { readonly url: string }>
  /** What workers, members or not, last said of themselves. */
  readonly records: ReadonlyMap<string, WorkerRecord>
  readonly work: Iterable<Unit>
  /** Since the epoch. */
  readonly nowMs: number
  /** `scheduled.rebalance.max.delay.ms` */
  readonly maxDelayMs: number
}

/** The next assignment; undefined where the one in force is still right. */
export function decide(current: Assignment | undefined, inputs: DecisionInputs): Assignment | undefined {
  const generation = (current?.generation ?? 0) + 1
  const units = placedUnits(inputs.work)
  const parts = partsNow(current, inputs, generation)
  const holders = new Map<UnitKey, string>()
  for (const [id, { owns }] of parts) for (const key of owns) holders.set(key, id)
  const wanted = place(
    [...parts].map(([id, part]) => ({ id, state: stateOf(part) })),
    units,
    holders,
  )
  const workers = hand(parts, wanted, holders, generation)
  const { round, leader } = inputs
  const unchanged = current?.round === round && current.leader === leader && sameWorkers(current.workers, workers)
  return unchanged ? undefined : { generation, round, leader, workers }
}

function placedUnits(work: Iterable<Unit>): PlacedUnit[] {
  const units = new Map<UnitKey, PlacedUnit>()
  for (const { connector, task, weight } of work) {
    const key = unitKey(connector, task)
    const kind = task === undefined ? 'connector' : 'task'
    units.set(key, { key, connector, kind, weight: weight > 0 ? weight : 1 })
  }
  return [...units.values()]
}

const stateOf = ({ awayUntil, draining }: WorkerPart): 'open' | 'away' | 'closed' =>
  awayUntil !== undefined ? 'away' : draining ? 'closed' : 'open'

/** The workers that count, each with what it has before anything is moved. */
function partsNow(
  current: Assignment | undefined,
  inputs: DecisionInputs,
  generation: number,
): Map<string, WorkerPart> {
  const { members, records } = inputs
  const parts = new Map<string, WorkerPart>()
  for (const [id, { url }] of members) {
    const record = records.get(id)
    if (record?.left !== true) parts.set(id, presentPart(current?.workers.get(id), record, url, generation))
  }
  // Where nobody is left of those who shared the work, nobody is waited for either: a whole cluster came back renamed.
  const anyStayed = current !== undefined && [...current.workers.keys()].some((id) => parts.has(id))
  if (!anyStayed) return parts
  for (const [id, part] of current.workers) {
    if (parts.has(id)) continue
    const { awayUntil = inputs.nowMs + inputs.maxDelayMs } = part
    const waits = part.owns.size > 0 && awayUntil > inputs.nowMs && !part.draining && records.get(id)?.left !== true
    // What it was giving up is free: its lease is over.
    const since = part.giving.length > 0 ? generation : part.since
    if (waits) parts.set(id, { ...part, awayUntil, giving: [], since })
  }
  return parts
}

function presentPart(
  before: WorkerPart | undefined,
  record: WorkerRecord | undefined,
  url: string,
  generation: number,
): WorkerPart {
  const session = record?.session ?? ''
  const sameLife = before?.session === session
  return {
    url: record?.url ?? url,
    session,
    since: before?.since ?? generation,
    draining: record?.draining ?? false,
    owns: before?.owns ?? new Set(),
    // A worker in a new life runs nothing of what its former one was giving up.
    giving: sameLife ? before.giving.filter((each) => each.generation > (record?.released ?? -1)) : [],
  }
}

/** Brings what each worker has towards what is wanted, one of the two steps at a time. */
function hand(
  parts: ReadonlyMap<string, WorkerPart>,
  wanted: ReadonlyMap<UnitKey, string>,
  holders: ReadonlyMap<UnitKey, string>,
  generation: number,
): Map<string, WorkerPart> {
  const givers = new Map<UnitKey, string>()
  for (const [id, { giving }] of parts) for (const { units } of giving) for (const key of units) givers.set(key, id)
  const gained = new Map<string, Set<UnitKey>>([...parts.keys()].map((id) => [id, new Set()]))
  for (const [key, id] of wanted) {
    const free = !holders.has(key) && (givers.get(key) ?? id) === id
    if (free) gained.get(id)!.add(key)
  }
  return new Map(
    [...parts].map(([id, part]) => {
      const gains = gained.get(id)!
      const owns = new Set(gains)
      const given = new Set<UnitKey>()
      for (const key of part.owns) (wanted.get(key) === id ? owns : given).add(key)
      const before = part.giving.map((each) => withoutUnits(each, gains)).filter(({ units }) => units.size > 0)
      // Who is away has no say in what is taken, and needs none: it is out of the group.
      const isTaken = given.size > 0 && part.awayUntil !== undefined
      const now = given.size > 0 && !isTaken ? [{ generation, units: given }] : []
      return [id, { ...part, owns, giving: [...before, ...now], since: isTaken ? generation : part.since }]
    }),
  )
}

const withoutUnits = ({ generation, units }: Giving, gone: ReadonlySet<UnitKey>): Giving => ({
  generation,
  units: new Set([...units].filter((key) => !gone.has(key))),
})

function sameWorkers(a: ReadonlyMap<string, WorkerPart>, b: ReadonlyMap<string, WorkerPart>): boolean {
  if (a.size !== b.size) return false
  for (const [id, part] of a) {
    const other = b.get(id)
    if (other === undefined || !samePart(part, other)) return false
  }
  return true
}

function samePart(a: WorkerPart, b: WorkerPart): boolean {
  return (
    a.url === b.url &&
    a.session === b.session &&
    a.awayUntil === b.awayUntil &&
    a.draining === b.draining &&
    sameUnits(a.owns, b.owns) &&
    a.giving.length === b.giving.length &&
    a.giving.every((each, i) => {
      const other = b.giving[i]!
      return each.generation === other.generation && sameUnits(each.units, other.units)
    })
  )
}

const sameUnits = (a: ReadonlySet<UnitKey>, b: ReadonlySet<UnitKey>): boolean =>
  a.size === b.size && [...a].every((key) => b.has(key))
