/**
 * Which worker should have what: sticky, balanced, and with as few moves as that takes. A pure function; how a unit gets
 * from one worker to another is not its concern.
 */

/** A unit as placement sees it. */
export interface PlacedUnit {
  readonly key: string
  readonly connector: string
  readonly kind: 'connector' | 'task'
  /** Of a task; connectors are balanced by their number. Above 0. */
  readonly weight: number
}

export interface PlacementWorker {
  readonly id: string
  /**
   * `open` takes part; `away` keeps what it has and gets nothing more; `closed` gives up all it has: it drains, or is
   * gone for good.
   */
  readonly state: 'open' | 'away' | 'closed'
}

/** A worker's share of one kind of unit, while it is being worked out. */
interface Share {
  readonly id: string
  load: number
  count: number
  readonly units: Set<PlacedUnit>
  readonly perConnector: Map<string, number>
  /** What it would give first, by weight; undefined where its units have changed since. */
  offers: Map<number, PlacedUnit[]> | undefined
}

/**
 * The wanted owner of each unit, by key; none is wanted where no worker is open. Units stay where they are, unless
 * their worker is closed or a move brings the two workers' loads closer together.
 * @param holders who has which unit now, by key
 */
export function place(
  workers: readonly PlacementWorker[],
  units: readonly PlacedUnit[],
  holders: ReadonlyMap<string, string>,
): Map<string, string> {
  const states = new Map(workers.map(({ id, state }) => [id, state]))
  const open = workers
    .filter(({ state }) => state === 'open')
    .map(({ id }) => id)
    .sort()
  const owners = new Map<string, string>()
  const taskLoads = new Map<string, number>()
  for (const kind of ['task', 'connector'] as const) {
    const shares = new Map(open.map((id) => [id, newShare(id)]))
    const homeless: PlacedUnit[] = []
    for (const unit of units) {
      if (unit.kind !== kind) continue
      const holder = holders.get(unit.key)
      const share = shares.get(holder ?? '')
      if (share !== undefined) take(share, unit)
      else if (holder !== undefined && states.get(holder) === 'away') owners.set(unit.key, holder)
      else homeless.push(unit)
    }
    const all = [...shares.values()]
    if (all.length > 0) {
      house(all, homeless, taskLoads)
      level(all)
    }
    for (const { id, load, units: owned } of all) {
      if (kind === 'task') taskLoads.set(id, load)
      for (const { key } of owned) owners.set(key, id)
    }
  }
  return owners
}

function newShare(id: string): Share {
  return { id, load: 0, count: 0, units: new Set(), perConnector: new Map(), offers: undefined }
}

const cost = (unit: PlacedUnit): number => (unit.kind === 'task' ? unit.weight : 1)

function take(share: Share, unit: PlacedUnit): void {
  share.units.add(unit)
  share.load += cost(unit)
  share.count++
  share.perConnector.set(unit.connector, (share.perConnector.get(unit.connector) ?? 0) + 1)
  share.offers = undefined
}

/** Gives each unit to the worker with the least load; among equals, to the one with the fewest of the same connector. */
function house(shares: readonly Share[], units: readonly PlacedUnit[], otherLoads: ReadonlyMap<string, number>): void {
  // The heavy ones first: the light ones even out what they leave.
  const byWeight = [...units].sort((a, b) => cost(b) - cost(a))
  for (const unit of byWeight) {
    let best = shares[0]!
    for (const share of shares) if (prefers(share, best, unit.connector, otherLoads)) best = share
    take(best, unit)
  }
}

function prefers(a: Share, b: Share, connector: string, otherLoads: ReadonlyMap<string, number>): boolean {
  const order =
    a.load - b.load ||
    (a.perConnector.get(connector) ?? 0) - (b.perConnector.get(connector) ?? 0) ||
    a.count - b.count ||
    (otherLoads.get(a.id) ?? 0) - (otherLoads.get(b.id) ?? 0)
  return order < 0
}

/** Moves units from the worker with the most load to the one with the least, as long as that brings the two closer. */
function level(shares: readonly Share[]): void {
  const givers = new Set(shares)
  while (givers.size > 0) {
    let least = shares[0]!
    for (const share of shares) if (share.load < least.load) least = share
    let most = least
    for (const share of givers) if (share.load > most.load) most = share
    const unit = most === least ? undefined : offer(most, most.load - least.load)
    if (unit !== undefined) {
      give(most, unit)
      take(least, unit)
      givers.add(least)
    } else if (most === least) return
    // All that it has is too heavy to be moved to anyone: loads only come closer from here on.
    else givers.delete(most)
  }
}

/** A unit that brings a worker closer to one with `gap` less load: the one that comes closest to half of the gap. */
function offer(share: Share, gap: number): PlacedUnit | undefined {
  share.offers ??= offersOf(share)
  let best: number | undefined
  for (const [weight, units] of share.offers) {
    if (units.length === 0 || weight >= gap - ROUNDING) continue
    if (best === undefined || Math.abs(weight - gap / 2) < Math.abs(best - gap / 2)) best = weight
  }
  return best === undefined ? undefined : share.offers.get(best)!.pop()
}

/** Sums of weights such as 0.1 are not exact. */
const ROUNDING = 1e-9

/** Those of the connectors that have most of their tasks here come last, which is to say that they are given first. */
function offersOf(share: Share): Map<number, PlacedUnit[]> {
  const ranks = new Map<string, number>()
  const ranked = [...share.units].map((unit) => {
    const rank = (ranks.get(unit.connector) ?? 0) + 1
    ranks.set(unit.connector, rank)
    return { unit, rank }
  })
  ranked.sort((a, b) => a.rank - b.rank)
  const offers = new Map<number, PlacedUnit[]>()
  for (const { unit } of ranked) {
    const same = offers.get(cost(unit))
    if (same === undefined) offers.set(cost(unit), [unit])
    else same.push(unit)
  }
  return offers
}

/** The offers stay as they are, since it was one of them. */
function give(share: Share, unit: PlacedUnit): void {
  share.units.delete(unit)
  share.load -= cost(unit)
  share.count--
  share.perConnector.set(unit.connector, share.perConnector.get(unit.connector)! - 1)
}
