/**
 * The records of the assignments topic: the leader's decision, key `assignment-<group.id>`, and what each worker says of
 * itself, key `worker-<group.id>-<worker id>`. JSON.
 */
import { connectorOf, taskOf, unitKey, type UnitKey } from './unit-key.ts'

/** What a worker has to give up, since the assignment of that generation. */
export interface Giving {
  readonly generation: number
  readonly units: ReadonlySet<UnitKey>
}

/** A worker's part of an assignment. */
export interface WorkerPart {
  readonly url: string
  /** Which life of the worker the leader knows of, from the worker's own record; empty where it has none. */
  readonly session: string
  /**
   * The first of the generations since which nothing was taken from it without its word: what it began before that may have
   * run elsewhere meanwhile.
   */
  readonly since: number
  /** It is out of the group; what it owns waits for it until then, in ms since the epoch. */
  readonly awayUntil?: number
  readonly draining: boolean
  readonly owns: ReadonlySet<UnitKey>
  /** Given to nobody else before the worker has said that they have stopped, or is out of the group. */
  readonly giving: readonly Giving[]
}

/** The leader's decision: all that runs somewhere. */
export interface Assignment {
  /** One more than that of the assignment before. */
  readonly generation: number
  /** The group's generation, with whose members in mind it was made. */
  readonly round: number
  readonly leader: string
  readonly workers: ReadonlyMap<string, WorkerPart>
}

/** What a worker says of itself. */
export interface WorkerRecord {
  readonly url: string
  /** New with each start of the worker. */
  readonly session: string
  /** All that assignments up to this generation took from it has stopped. */
  readonly released: number
  readonly draining: boolean
  /** It has stopped all it ran, and is leaving the group. */
  readonly left: boolean
}

export const assignmentKey = (groupId: string): string => `assignment-${groupId}`

export const workerKey = (groupId: string, workerId: string): string => `worker-${groupId}-${workerId}`

/** The worker's id, where the key is that of a worker of this group. */
export function workerIdOf(groupId: string, key: string): string | undefined {
  const prefix = workerKey(groupId, '')
  return key.startsWith(prefix) ? key.slice(prefix.length) : undefined
}

/** Units as JSON has them: by connector, so that a name is written once for all its tasks. */
interface UnitsJson {
  readonly connectors: readonly string[]
  readonly tasks: Readonly<Record<string, readonly number[]>>
}

interface WorkerPartJson extends UnitsJson {
  readonly url: string
  readonly session: string
  readonly since: number
  readonly awayUntil?: number
  readonly draining?: true
  readonly giving?: readonly (UnitsJson & { readonly generation: number })[]
}

interface AssignmentJson {
  readonly version: number
  readonly group: string
  readonly generation: number
  readonly round: number
  readonly leader: string
  readonly workers: Readonly<Record<string, WorkerPartJson>>
}

const VERSION = 1

/** Equal assignments give equal texts. */
export function encodeAssignment(groupId: string, assignment: Assignment): string {
  const { generation, round, leader } = assignment
  const ids = [...assignment.workers.keys()].sort()
  const workers = Object.fromEntries(ids.map((id) => [id, partJson(assignment.workers.get(id)!)]))
  const json: AssignmentJson = { version: VERSION, group: groupId, generation, round, leader, workers }
  return JSON.stringify(json)
}

function partJson({ url, session, since, awayUntil, draining, owns, giving }: WorkerPart): WorkerPartJson {
  return {
    url,
    session,
    since,
    ...(awayUntil === undefined ? {} : { awayUntil }),
    ...(draining ? { draining } : {}),
    ...unitsJson(owns),
    ...(giving.length === 0
      ? {}
      : { giving: giving.map(({ generation, units }) => ({ generation, ...unitsJson(units) })) }),
  }
}

function unitsJson(units: ReadonlySet<UnitKey>): UnitsJson {
  const connectors: string[] = []
  const tasks = new Map<string, number[]>()
  for (const key of units) {
    const connector = connectorOf(key)
    const task = taskOf(key)
    if (task === undefined) connectors.push(connector)
    else if (tasks.get(connector)?.push(task) === undefined) tasks.set(connector, [task])
  }
  const names = [...tasks.keys()].sort()
  return {
    connectors: connectors.sort(),
    tasks: Object.fromEntries(names.map((name) => [name, tasks.get(name)!.sort((a, b) => a - b)])),
  }
}

/**
 * Undefined: it is another group's.
 * @throws Error where it is no assignment, or one of a version to come
 */
export function parseAssignment(groupId: string, text: string): Assignment | undefined {
  const json = JSON.parse(text) as AssignmentJson
  checkVersion(json.version)
  if (json.group !== groupId) return undefined
  const { generation, round, leader } = json
  const workers = new Map(Object.entries(json.workers).map(([id, part]) => [id, parsePart(part)]))
  return { generation, round, leader, workers }
}

function parsePart(json: WorkerPartJson): WorkerPart {
  const { url, session, since, awayUntil, draining = false, giving = [] } = json
  return {
    url,
    session,
    since,
    ...(awayUntil === undefined ? {} : { awayUntil }),
    draining,
    owns: parseUnits(json),
    giving: giving.map((each) => ({ generation: each.generation, units: parseUnits(each) })),
  }
}

function parseUnits({ connectors, tasks }: UnitsJson): Set<UnitKey> {
  const units = new Set(connectors.map((connector) => unitKey(connector)))
  for (const [connector, numbers] of Object.entries(tasks)) {
    for (const task of numbers) units.add(unitKey(connector, task))
  }
  return units
}

export function encodeWorker(groupId: string, workerId: string, record: WorkerRecord): string {
  return JSON.stringify({ version: VERSION, group: groupId, worker: workerId, ...record })
}

/**
 * Undefined: it is another group's, one of whose names happens to begin with this one's.
 * @throws Error where it is no such record, or one of a version to come
 */
export function parseWorker(groupId: string, text: string): WorkerRecord | undefined {
  const json = JSON.parse(text) as WorkerRecord & { readonly version: number; readonly group: string }
  checkVersion(json.version)
  if (json.group !== groupId) return undefined
  const { url, session, released, draining, left } = json
  return { url, session, released, draining, left }
}

function checkVersion(version: unknown): void {
  if (version !== VERSION) throw new Error(`its version is ${String(version)}, and this worker knows ${VERSION}`)
}
