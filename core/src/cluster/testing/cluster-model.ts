/**
 * A cluster as its rules have it, without a log: workers that read the assignments late, stop late, vanish, come back or
 * are replaced, and a leader that decides by what it has read so far. It says which workers could be running a unit.
 */
import { decide } from '../assignment.ts'
import {
  encodeAssignment,
  parseAssignment,
  type Assignment,
  type WorkerPart,
  type WorkerRecord,
} from '../assignment-records.ts'
import type { Unit } from '../cluster.ts'
import { unitKey, type UnitKey } from '../unit-key.ts'

const MAX_DELAY_MS = 1000

/** A worker's process. */
interface Life {
  readonly session: string
  /** How many assignments it has read. */
  read: number
  standing: 'out' | 'back' | 'in'
  backSince: number
  /** Begun, and not known to have stopped. */
  readonly running: Map<UnitKey, Run>
}

interface Run {
  /** Which of all beginnings this was. */
  readonly began: number
  /** The newest assignment that it was seen to be its worker's under. */
  generation: number
}

type WorkerEvent =
  | 'join'
  | 'vanish'
  | 'return'
  | 'crash'
  | 'replace'
  | 'drain'
  | 'stop'
  | 'leave'
  | 'read'
  | 'readAll'
  | 'release'
  | 'missAll'

export type ModelEvent =
  | { readonly type: WorkerEvent; readonly worker: string }
  | { readonly type: 'decide' | 'hear' | 'newLeader' }
  | { readonly type: 'wait'; readonly ms: number }
  | { readonly type: 'add' | 'remove'; readonly unit: Unit }

export class ClusterModel {
  readonly assignments: Assignment[] = []
  readonly units = new Map<UnitKey, Unit>()
  readonly lives = new Map<string, Life>()
  /** In the group, by the coordinator's word. */
  readonly members = new Set<string>()
  readonly #records = new Map<string, WorkerRecord>()
  #round = 0
  #sessions = 0
  /** Of each unit, the last that there was. */
  readonly #beginnings = new Map<UnitKey, number>()
  #nowMs = 0
  /** What the leader has of it all: it is told of rounds, and reads what workers say when it gets round to it. */
  #known: { round: number; members: Set<string>; records: Map<string, WorkerRecord> } | undefined
  #leader = ''

  /** Workers that may write for a unit at this moment. */
  runners(key: UnitKey): string[] {
    return [...this.lives].filter(([, life]) => life.standing === 'in' && life.running.has(key)).map(([id]) => id)
  }

  /** Units that a worker writes for from where it was when another had not begun yet. */
  get outdated(): UnitKey[] {
    return [...this.lives.values()].flatMap(({ standing, running }) =>
      standing === 'in'
        ? [...running].filter(([key, { began }]) => began < this.#beginnings.get(key)!).map(([key]) => key)
        : [],
    )
  }

  get last(): Assignment | undefined {
    return this.assignments.at(-1)
  }

  apply(event: ModelEvent): void {
    switch (event.type) {
      case 'add':
        this.units.set(unitKey(event.unit.connector, event.unit.task), event.unit)
        return
      case 'remove':
        this.units.delete(unitKey(event.unit.connector, event.unit.task))
        return
      case 'wait':
        this.#nowMs += event.ms
        return
      case 'decide':
        this.#decide()
        return
      case 'hear':
        if (this.#known !== undefined) this.#known.records = new Map(this.#records)
        return
      case 'newLeader':
        this.#newRound()
        return
      default:
        this.#applyTo(event.worker, event.type)
    }
  }

  /** Lets everything that is under way come to its end. */
  settle(): void {
    for (let i = 0; i < 12; i++) {
      this.#nowMs += MAX_DELAY_MS
      this.#goOn()
    }
  }

  /** Given up, and counted in again, before it has read anything of that. */
  #missAll(worker: string): void {
    this.#applyTo(worker, 'vanish')
    this.#goOn(worker)
    this.#nowMs += MAX_DELAY_MS
    for (let i = 0; i < 3; i++) this.#goOn(worker)
    this.#applyTo(worker, 'return')
    for (let i = 0; i < 3; i++) this.#goOn(worker)
  }

  /** Everybody else hears of what there is, and does it. */
  #goOn(without?: string): void {
    this.apply({ type: 'hear' })
    this.#decide()
    for (const [worker, life] of this.lives) {
      if (worker === without) continue
      while (life.read < this.assignments.length) this.#read(worker, 1)
      this.#release(worker)
    }
  }

  #applyTo(worker: string, type: WorkerEvent): void {
    const life = this.lives.get(worker)
    const isMember = this.members.has(worker)
    switch (type) {
      case 'join':
        if (life !== undefined || isMember) return
        this.#beBorn(worker)
        this.members.add(worker)
        this.#newRound()
        return
      case 'replace':
        // Killed and started again before its session ended: it takes its place with no round.
        if (!isMember) return
        this.#beBorn(worker)
        return
      case 'vanish':
        if (life === undefined || !isMember) return
        life.standing = 'out'
        this.#dropMember(worker)
        return
      case 'return':
        if (life === undefined || isMember) return
        this.members.add(worker)
        this.#newRound()
        return
      case 'crash':
        this.lives.delete(worker)
        if (isMember) this.#dropMember(worker)
        return
      case 'drain':
        if (life !== undefined) this.#say(worker, { draining: true })
        return
      case 'stop':
        // The first half of leaving: the second may come late, or never.
        if (life === undefined || !isMember) return
        this.#say(worker, { left: true, released: this.assignments[life.read - 1]?.generation ?? 0 })
        this.lives.delete(worker)
        return
      case 'leave':
        if (isMember && life === undefined) this.#dropMember(worker)
        return
      case 'read':
        this.#read(worker, 1)
        return
      case 'readAll':
        this.#read(worker, Infinity)
        return
      case 'missAll':
        this.#missAll(worker)
        return
      case 'release':
        this.#release(worker)
    }
  }

  #beBorn(worker: string): void {
    const session = `s${++this.#sessions}`
    const life: Life = { session, read: this.assignments.length, standing: 'out', backSince: 0, running: new Map() }
    this.lives.set(worker, life)
    this.#records.set(worker, { url: '', session, released: -1, draining: false, left: false })
    this.#comeBack(worker, life)
  }

  #say(worker: string, changes: Partial<WorkerRecord>): void {
    this.#records.set(worker, { ...this.#records.get(worker)!, ...changes })
  }

  #dropMember(worker: string): void {
    this.members.delete(worker)
    this.#newRound()
  }

  /** Whoever is in the group takes part; the leader reads the topic to its end before it decides in a new round. */
  #newRound(): void {
    this.#round++
    const living = [...this.members].filter((id) => this.lives.has(id))
    this.#leader = living[this.#round % living.length] ?? ''
    this.#known = { round: this.#round, members: new Set(this.members), records: new Map(this.#records) }
  }

  #decide(): void {
    const known = this.#known
    if (known === undefined || !this.lives.has(this.#leader)) return
    const next = decide(this.last, {
      round: known.round,
      leader: this.#leader,
      members: new Map([...known.members].map((id) => [id, { url: '' }])),
      records: known.records,
      work: [...this.units.values()],
      nowMs: this.#nowMs,
      maxDelayMs: MAX_DELAY_MS,
    })
    // As others will read it.
    if (next !== undefined) this.assignments.push(parseAssignment('g', encodeAssignment('g', next))!)
  }

  /** Of several that are read together the last alone is looked at. */
  #read(worker: string, count: number): void {
    const life = this.lives.get(worker)
    if (life === undefined || life.read >= this.assignments.length) return
    life.read = Math.min(life.read + count, this.assignments.length)
    this.#comeBack(worker, life)
    this.#startOwn(worker, life)
  }

  #view(worker: string, life: Life): WorkerPart | undefined {
    return this.assignments[life.read - 1]?.workers.get(worker)
  }

  #comeBack(worker: string, life: Life): void {
    const view = this.assignments[life.read - 1]
    if (life.standing !== 'out' || !this.members.has(worker) || view?.round !== this.#round) return
    if (view.workers.get(worker)?.session !== life.session) return
    life.standing = 'back'
    life.backSince = view.generation
  }

  #startOwn(worker: string, life: Life): void {
    if (life.standing !== 'in') return
    const { generation } = this.assignments[life.read - 1]!
    for (const key of this.#view(worker, life)?.owns ?? []) {
      const run = life.running.get(key)
      if (run !== undefined) {
        run.generation = generation
        continue
      }
      const began = (this.#beginnings.get(key) ?? 0) + 1
      this.#beginnings.set(key, began)
      life.running.set(key, { began, generation })
    }
  }

  /** Stops what the newest assignment it has read does not give it, or may have given to another meanwhile, and says so. */
  #release(worker: string): void {
    const life = this.lives.get(worker)
    const view = life === undefined ? undefined : this.assignments[life.read - 1]
    if (life === undefined || view === undefined) return
    const part = this.#view(worker, life)
    for (const [key, { generation }] of [...life.running]) {
      if (part?.owns.has(key) !== true || generation < part.since) life.running.delete(key)
    }
    if (life.standing === 'back' && view.generation >= life.backSince) life.standing = 'in'
    this.#startOwn(worker, life)
    this.#say(worker, { released: view.generation })
  }
}
