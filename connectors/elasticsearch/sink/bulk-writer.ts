import { ConnectError, DataError, isRetriable, type SinkRecord } from '@tidewire/sdk'
import { JsonOutput } from '@tidewire/sdk/json'
import {
  codes,
  failureOf,
  problemOf,
  problemOfAnswer,
  problemOfFailure,
  type Answer,
  type Failure,
} from '../link/errors.ts'
import type { ElasticsearchLink } from '../link/link.ts'
import type { Action, ActionWriter } from './action.ts'
import type { Assignment } from './assignments.ts'
import { bulkFilter, bulkOf, readOutcomes, type Bulk, type Outcome } from './bulk.ts'

export interface BulkWriterOptions {
  readonly batchSize: number
  readonly bulkBytes: number
  readonly lingerMs: number
  readonly maxInFlight: number
  readonly maxBuffered: number
  /** undefined: for as long as it takes. */
  readonly maxRetries: number | undefined
  readonly backoffMs: number
  /** How long the server may wait for its shards. */
  readonly serverTimeoutMs: number
}

/** What the writer tells and asks of the task. */
export interface BulkWriterHooks {
  /** The server does not take this record, whatever is tried. */
  refused(record: SinkRecord, error: Error): void
  /** All documents of a bulk were there as newer ones: their versions are above all of the bulk's. */
  overtaken(action: Action, current: number): void
  /** Sees to it that an index is there that was not. */
  makeReady(action: Action): Promise<void>
  /** Something was stored, given up, or has to be tried again. */
  changed(): void
  /** Trouble begins. */
  troubled(problem: ConnectError): void
}

/** Retries come at least so often. */
const maxBackoffMs = 10_000
/** What says that the server has too much to do, rather than that a single index is blocked. */
const overload: ReadonlySet<string> = new Set([codes.busy, codes.unavailable, codes.timeout, codes.unreachable])

/** Records on their way to the server: gathered in bulks, several of which are under way at a time. */
export class BulkWriter {
  readonly #link: ElasticsearchLink
  readonly #actions: ActionWriter
  readonly #options: BulkWriterOptions
  readonly #hooks: BulkWriterHooks
  readonly #output = new JsonOutput()
  #open = emptyBulk()
  /** The bulk that is being filled need not wait any longer for more. */
  #due = false
  #lingering: NodeJS.Timeout | undefined
  /** All that are not over, the one that is being filled left out. */
  readonly #bulks = new Set<Bulk>()
  /** Those to send next. */
  #queue: Bulk[] = []
  /** Those to send again, after a pause. */
  readonly #delayed = new Map<Bulk, NodeJS.Timeout>()
  /** Under way. */
  readonly #sent = new Set<Bulk>()
  /** How many requests at a time: half as many when the server has too much to do, and then more again, one by one. */
  #allowed: number
  #records = 0
  #sealedBytes = 0
  /** The newest waiting action of each document, by index and id. */
  readonly #newest = new Map<string, Map<string, Action>>()
  #failure: ConnectError | undefined
  #problem: ConnectError | undefined
  #moved = Promise.withResolvers<void>()
  readonly counts = { stored: 0, conflicts: 0, retried: 0 }

  constructor(link: ElasticsearchLink, actions: ActionWriter, options: BulkWriterOptions, hooks: BulkWriterHooks) {
    this.#link = link
    this.#actions = actions
    this.#options = options
    this.#hooks = hooks
    this.#allowed = options.maxInFlight
  }

  /** Of documents, on this side of the wire. */
  get heldBytes(): number {
    return this.#sealedBytes + this.#output.length
  }

  get heldRecords(): number {
    return this.#records
  }

  /** How many records wait to be tried again, and why. */
  get trouble(): { readonly records: number; readonly problem: ConnectError } | undefined {
    if (this.#delayed.size === 0 || this.#problem === undefined) return undefined
    let records = 0
    for (const bulk of this.#delayed.keys()) records += bulk.actions.length
    return { records, problem: this.#problem }
  }

  /** @throws ConnectError after which nothing more can be written */
  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /**
   * Takes a record, to be written soon.
   * @throws DataError where it makes no document: it is not taken then
   */
  add(record: SinkRecord, resource: string, assignment: Assignment): void {
    const from = this.#output.length
    const planned = this.#actions.write(this.#output, record, resource)
    if (planned === undefined) return
    if (this.#open.actions.length > 0 && this.#output.length > this.#options.bulkBytes) this.#sealBefore(from)
    const action: Action = {
      ...planned,
      ...{ record, resource, assignment, bulk: this.#open, state: 'waiting' },
      from: this.#open.actions.length === 0 ? 0 : from,
      to: this.#output.length,
      previous: undefined,
      next: undefined,
    }
    this.#open.actions.push(action)
    this.#records++
    this.#follow(action)
    if (this.#open.actions.length >= this.#options.batchSize || this.#output.length >= this.#options.bulkBytes) {
      this.#seal()
      this.#send()
    } else if (this.#lingering === undefined && !this.#due) {
      this.#lingering = setTimeout(() => this.#endLinger(), this.#options.lingerMs)
    }
  }

  /**
   * Waits until there is room for more.
   * @returns whether there is, before the time is over
   */
  async room(maxBytes: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const isFull = (): boolean =>
      this.#records >= this.#options.maxBuffered || (this.#records > 0 && this.heldBytes >= maxBytes)
    if (!isFull()) return true
    this.#endLinger()
    return this.#until(() => !isFull(), timeoutMs, signal)
  }

  /** Sends what there is, and waits until all of it is over, or the time is. */
  async drain(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    this.#endLinger()
    await this.#until(() => this.#records === 0, timeoutMs, signal)
  }

  /**
   * Waits until no request is under way, or the time is over, that changes documents of partitions which went elsewhere, in the
   * order in which requests come: what their next task writes comes after it.
   */
  async landed(timeoutMs: number): Promise<void> {
    const isLate = (bulk: Bulk): boolean =>
      bulk.actions.some((action) => action.assignment.closed && mayOvertake(action))
    if (this.#failure !== undefined) return
    await this.#until(() => ![...this.#sent].some(isLate), timeoutMs, undefined)
  }

  /** What has been taken and is not over. */
  *waiting(): Iterable<Action> {
    for (const bulk of [this.#open, ...this.#bulks]) {
      for (const action of bulk.actions) if (action.state === 'waiting') yield action
    }
  }

  /** Nothing more is sent. */
  stop(): void {
    clearTimeout(this.#lingering)
    for (const timer of this.#delayed.values()) clearTimeout(timer)
    this.#delayed.clear()
    this.#queue = []
    this.#failure ??= new ConnectError('the task has ended')
  }

  async #until(isSo: () => boolean, timeoutMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    const over = Promise.withResolvers<void>()
    const timer = setTimeout(over.resolve, timeoutMs)
    const end = (): void => over.resolve()
    let isOver = signal?.aborted === true
    void over.promise.then(() => (isOver = true))
    signal?.addEventListener('abort', end)
    try {
      while (!isSo() && !isOver) {
        this.throwFailure()
        await Promise.race([this.#moved.promise, over.promise])
      }
      this.throwFailure()
      return isSo()
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
    }
  }

  /** Notes which action of the same document comes before it, where that matters. */
  #follow(action: Action): void {
    if (!isTracked(action)) return
    let byId = this.#newest.get(action.resource)
    if (byId === undefined) {
      byId = new Map()
      this.#newest.set(action.resource, byId)
    }
    const previous = byId.get(action.id)
    if (previous !== undefined) {
      previous.next = action
      action.previous = previous
    }
    byId.set(action.id, action)
  }

  #endLinger(): void {
    clearTimeout(this.#lingering)
    this.#lingering = undefined
    this.#due = this.#open.actions.length > 0
    this.#send()
  }

  #seal(): void {
    this.#queueBulk(this.#open, this.#output.take())
    this.#output.begin()
    this.#open = emptyBulk()
  }

  /** The last lines made the bulk too large: they begin the next one. */
  #sealBefore(from: number): void {
    const bytes = this.#output.take()
    this.#queueBulk(this.#open, bytes.subarray(0, from))
    this.#output.begin()
    this.#output.bytes(bytes.subarray(from))
    this.#open = emptyBulk()
    this.#send()
  }

  #queueBulk(bulk: Bulk, bytes: Buffer): void {
    clearTimeout(this.#lingering)
    this.#lingering = undefined
    this.#due = false
    bulk.bytes = bytes
    this.#enter(bulk)
    this.#queue.push(bulk)
  }

  #enter(bulk: Bulk): void {
    this.#bulks.add(bulk)
    this.#sealedBytes += bulk.bytes.length
  }

  #leave(bulk: Bulk): void {
    if (this.#bulks.delete(bulk)) this.#sealedBytes -= bulk.bytes.length
  }

  /** Sends what can be sent. */
  #send(): void {
    while (this.#failure === undefined && this.#sent.size < Math.floor(this.#allowed)) {
      const at = this.#queue.findIndex((bulk) => !isBlocked(bulk))
      if (at >= 0) {
        const [bulk] = this.#queue.splice(at, 1)
        void this.#attempt(bulk!)
      } else if (this.#due && this.#open.actions.length > 0) {
        this.#seal()
      } else return
    }
  }

  async #attempt(given: Bulk): Promise<void> {
    const bulk = this.#current(given)
    if (bulk === undefined) {
      this.#moveOn()
      return
    }
    this.#sent.add(bulk)
    try {
      for (const action of onePerResource(bulk)) await this.#hooks.makeReady(action)
      const answer = await this.#link.ask({
        method: 'POST',
        path: '/_bulk',
        query: { filter_path: bulkFilter, timeout: `${this.#options.serverTimeoutMs}ms` },
        body: bulk.bytes,
        what: `writing ${bulk.actions.length} documents`,
      })
      this.#take(bulk, answer)
    } catch (error) {
      const problem = problemOf(error, `writing ${bulk.actions.length} documents`)
      if (isRetriable(problem)) this.#tryAgain(bulk, bulk.actions, problem, new Set())
      else this.#fail(problem)
    } finally {
      this.#sent.delete(bulk)
      this.#moveOn()
    }
  }

  /** The bulk less what need not be written any more; undefined where nothing is left. */
  #current(bulk: Bulk): Bulk | undefined {
    if (bulk.failures === 0 && !bulk.actions.some(({ assignment }) => assignment.closed)) return bulk
    const left: Action[] = []
    for (const action of bulk.actions) {
      if (action.assignment.closed) this.#settle(action, 'refused')
      else if (isSuperseded(action)) this.#conflict(action)
      else left.push(action)
    }
    if (left.length === bulk.actions.length) return bulk
    this.#leave(bulk)
    if (left.length === 0) return undefined
    const rest = bulkOf(left, bulk, bulk.failures)
    rest.missing = bulk.missing
    this.#enter(rest)
    return rest
  }

  #take(bulk: Bulk, answer: Answer): void {
    if (answer.status < 300) {
      this.#takeOutcomes(bulk, readOutcomes(answer.text, bulk.actions))
      return
    }
    const failure = failureOf(answer)
    const isTooLarge = answer.status === 413
    if (isTooLarge || (answer.status === 400 && failure.type !== '')) {
      this.#split(bulk, answer.status, failure)
      return
    }
    const problem = problemOfAnswer(answer, `writing ${bulk.actions.length} documents`)
    if (isRetriable(problem)) this.#tryAgain(bulk, bulk.actions, problem, new Set())
    else this.#fail(problem)
  }

  #takeOutcomes(bulk: Bulk, outcomes: readonly Outcome[] | undefined): void {
    const { actions } = bulk
    if (outcomes === undefined) {
      for (const action of actions) this.#settle(action, 'stored')
      this.#over(bulk)
      return
    }
    const again: Action[] = []
    const missing = new Set<string>()
    /** Documents of which an earlier action has to be done again: what comes after it has to come after it again. */
    const redone = new Set<string>()
    let problem: ConnectError | undefined
    for (const [at, outcome] of outcomes.entries()) {
      const action = actions[at]!
      const name = `${action.resource} ${action.id}`
      if (outcome.kind === 'forbidden') {
        this.#fail(problemOfFailure(outcome.status, outcome.failure, `writing to ${action.resource}`))
        return
      }
      if (outcome.kind === 'malformed') this.#refuse(action, outcome.status, outcome.failure)
      else if (outcome.kind === 'again' || outcome.kind === 'missing' || redone.has(name)) {
        again.push(action)
        if (mayOvertake(action)) redone.add(name)
        if (outcome.kind === 'missing') missing.add(action.resource)
        problem ??= passingProblem(action, outcome)
      } else if (outcome.kind === 'conflict') this.#conflict(action)
      else this.#settle(action, 'stored')
    }
    this.#lookForOvertaken(actions, outcomes)
    if (again.length > 0) this.#tryAgain(bulk, again, problem!, missing)
    else this.#over(bulk)
  }

  /** The server has dealt with all of it. */
  #over(bulk: Bulk): void {
    this.#leave(bulk)
    this.#allowed = Math.min(this.#options.maxInFlight, this.#allowed + 1 / this.#allowed)
  }

  /** Done in halves, what is wrong with one document does not concern the others. */
  #split(bulk: Bulk, status: number, failure: Failure): void {
    const { actions, failures } = bulk
    this.#leave(bulk)
    if (actions.length === 1) {
      this.#refuse(actions[0]!, status, failure)
      return
    }
    const middle = actions.length >> 1
    const halves = [actions.slice(0, middle), actions.slice(middle)].map((half) => bulkOf(half, bulk, failures))
    for (const half of halves) this.#enter(half)
    this.#queue.unshift(...halves)
  }

  #tryAgain(bulk: Bulk, actions: Action[], problem: ConnectError, missing: ReadonlySet<string>): void {
    // The task ends: nobody waits for it.
    if (this.#failure !== undefined) return
    const { maxRetries, backoffMs } = this.#options
    const failures = bulk.failures + 1
    if (maxRetries !== undefined && failures > maxRetries) {
      const message = `${problem.message} (${maxRetries} retries, as max.retries says)`
      this.#fail(new ConnectError(message, { code: problem.code, cause: problem }))
      return
    }
    if (this.#delayed.size === 0 && failures === 1) this.#hooks.troubled(problem)
    if (overload.has(problem.code)) this.#allowed = Math.max(1, this.#allowed / 2)
    this.#problem = problem
    this.counts.retried += actions.length
    this.#leave(bulk)
    const rest = bulkOf(actions, bulk, failures)
    rest.missing = missing
    this.#enter(rest)
    const pauseMs = Math.random() * Math.min(maxBackoffMs, backoffMs * 2 ** Math.min(failures - 1, 30))
    const timer = setTimeout(() => {
      this.#delayed.delete(rest)
      this.#queue.unshift(rest)
      this.#send()
    }, pauseMs)
    this.#delayed.set(rest, timer)
  }

  #refuse(action: Action, status: number, { type, reason }: Failure): void {
    const kind = type === '' ? '' : `${type}: `
    const hint = status === 413 ? `. It has ${action.to - action.from} bytes: see http.max_content_length` : ''
    const message = `the server refuses the document for ${action.resource}: ${kind}${reason} (status ${status})${hint}`
    this.#hooks.refused(action.record, new DataError(message, { code: codes.malformedDocument }))
    this.#settle(action, 'refused')
  }

  #conflict(action: Action): void {
    this.counts.conflicts++
    this.#settle(action, 'stored')
    this.counts.stored--
  }

  #settle(action: Action, state: 'stored' | 'refused'): void {
    if (action.state !== 'waiting') return
    action.state = state
    this.#records--
    if (state === 'stored') this.counts.stored++
    if (!isTracked(action)) return
    if (action.next !== undefined) action.next.previous = undefined
    const byId = this.#newest.get(action.resource)
    if (byId?.get(action.id) !== action) return
    byId.delete(action.id)
    if (byId.size === 0) this.#newest.delete(action.resource)
  }

  #lookForOvertaken(actions: readonly Action[], outcomes: readonly Outcome[]): void {
    let lowest = Infinity
    let highest = -1
    for (const [at, outcome] of outcomes.entries()) {
      if (outcome.kind !== 'conflict' || outcome.current === undefined) return
      lowest = Math.min(lowest, outcome.current)
      highest = Math.max(highest, actions[at]!.record.offset)
    }
    if (lowest > highest) this.#hooks.overtaken(actions[0]!, lowest)
  }

  #fail(problem: ConnectError): void {
    this.#failure ??= problem
  }

  #moveOn(): void {
    this.#send()
    this.#hooks.changed()
    this.#moved.resolve()
    this.#moved = Promise.withResolvers()
  }
}

function emptyBulk(): Bulk {
  return { actions: [], bytes: Buffer.alloc(0), failures: 0, missing: new Set() }
}

/** Whether there can be two actions of its document. */
function isTracked({ versioned, kind }: Action): boolean {
  return versioned || mayOvertake({ versioned, kind })
}

/** Whether the order in which two of a document come is the order in which they count. */
function mayOvertake({ versioned, kind }: Pick<Action, 'versioned' | 'kind'>): boolean {
  return !versioned && (kind === 'update' || kind === 'delete')
}

/** Whether an earlier action of one of its documents is in another bulk, and not over. */
function isBlocked(bulk: Bulk): boolean {
  return bulk.actions.some(
    (action) => mayOvertake(action) && action.previous !== undefined && action.previous.bulk !== bulk,
  )
}

/**
 * Whether a newer version of its document is stored. The server would say so too, but forgets the versions of deleted documents
 * after a while (index.gc_deletes), and a retry may come late.
 */
function isSuperseded(action: Action): boolean {
  if (!action.versioned) return false
  for (let newer = action.next; newer !== undefined; newer = newer.next) {
    if (newer.state === 'stored') return true
  }
  return false
}

/** For each index that was missing, one of its actions. */
function onePerResource(bulk: Bulk): Action[] {
  return [...bulk.missing].flatMap((name) => bulk.actions.find(({ resource }) => resource === name) ?? [])
}

function passingProblem(action: Action, outcome: Outcome): ConnectError | undefined {
  if (outcome.kind === 'again')
    return problemOfFailure(outcome.status, outcome.failure, `writing to ${action.resource}`)
  if (outcome.kind === 'missing') return problemOfFailure(404, outcome.failure, `writing to ${action.resource}`)
  return undefined
}
