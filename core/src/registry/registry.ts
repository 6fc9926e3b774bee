/**
 * The schema registry: reads the topic `_schemas`, answers from what it has read, and has the leader among the registries
 * on the log write.
 */
import { randomUUID } from 'node:crypto'
import { LogError, type LogClient } from '../client/client.ts'
import { RefusedError } from '../cluster/fenced-producer.ts'
import { outRecord, TopicLog } from '../cluster/topic-log.ts'
import type { RegistryConfig } from '../config/registry-settings.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import type { Principal } from '../rest/principal.ts'
import { ConfigScope } from './config-scope.ts'
import { PrincipalSigner } from './forwarded-principal.ts'
import { settled, StillWorking } from './large-schema.ts'
import { NoAnswerError, type LeaderAnswer, type LeaderRequests, type PassedRequest } from './leader-requests.ts'
import { Leadership } from './leadership.ts'
import { errors, RegistryError } from './registry-error.ts'
import { NotLeadingError, type RegistryIdentity } from './registry-identity.ts'
import { RegistryReads } from './registry-reads.ts'
import { RegistryState } from './registry-state.ts'
import { RegistryWrites, type Decision } from './registry-writes.ts'
import { SchemaLookup } from './schema-lookup.ts'
import { SchemaParser, type LoadFormat } from './schema-parser.ts'
import type { LogRecord } from './schema-records.ts'
import { SchemaWork } from './schema-work.ts'

export interface RegistryOptions {
  readonly client: LogClient
  readonly config: RegistryConfig
  readonly identity: RegistryIdentity
  readonly requests: LeaderRequests
  readonly loadFormat: LoadFormat
  readonly logger: Logger
}

/** A request that changes something: carried out here where this registry leads, else passed on. */
export interface ChangeRequest<T> {
  readonly passed: PassedRequest
  /** Who asks; undefined where nobody needs to log in. */
  readonly principal: Principal | undefined
  /** Another registry has passed it on: it is not passed on again. */
  readonly isPassedOn: boolean
  /** Carried out twice it is as carried out once, and answered alike. */
  readonly isIdempotent: boolean
  readonly decide: (writes: RegistryWrites) => Decision<T>
}

/** Carried out here, or by the leader, whose answer is passed back as it is. */
export type Changed<T> = { readonly answer: T } | { readonly passedBack: LeaderAnswer }

/** A change that waits for its turn. */
interface Queued {
  readonly decide: (writes: RegistryWrites) => Decision<unknown>
  readonly endsAt: number
  /** What was found out for it while it waited. */
  readonly held: object[]
  readonly resolve: (done: { answer: unknown } | undefined) => void
  readonly reject: (error: Error) => void
}

/** What it has come to, where the writes before it in the batch are carried out. */
interface Decided {
  readonly queued: Queued
  readonly outcome: Decision<unknown> | Refused
}

/** A refusal may rest on a write that is not in the log yet: it is told when that write is. */
interface Refused {
  readonly records: readonly []
  readonly refusal: Error
}

/** Most changes in one transaction. */
const MAX_BATCH = 100
/** What they may have gathered, in characters, for another to join them. */
const MAX_BATCH_CHARACTERS = 256 * 1024
/** How soon a leader that did not answer is asked again. */
const LOOK_MS = 200
/** How long a request that another registry has passed on waits for this one to lead. */
const MAX_PASSED_WAIT_MS = 5000

export class Registry {
  readonly reads: RegistryReads
  readonly scope: ConfigScope
  readonly state: RegistryState
  readonly parser: SchemaParser
  readonly #options: RegistryOptions
  readonly #writes: RegistryWrites
  readonly #log: TopicLog
  readonly #leadership: Leadership
  readonly #signer = new PrincipalSigner()
  readonly #waiters = new Set<() => void>()
  /** Names of transactions of which it is not known yet whether they came to be, and whether they have been read. */
  readonly #uncertain = new Map<string, boolean>()
  readonly #work = new SchemaWork()
  readonly #queue: Queued[] = []
  #writing: Promise<void> | undefined
  /** How many of those that wait are to be written one by one. */
  #alone = 0
  #isStopping = false
  /** Ends the wait for the write that is under way. */
  #abandon: ((error: Error) => void) | undefined

  constructor(options: RegistryOptions) {
    const { client, config, identity, loadFormat, logger } = options
    this.#options = options
    const state = (this.state = new RegistryState(logger))
    const scope = (this.scope = new ConfigScope(state, config['schema.compatibility.level']))
    const parser = (this.parser = new SchemaParser({
      state,
      loadFormat,
      cacheSize: config['schema.cache.size'],
      work: this.#work,
    }))
    const lookup = new SchemaLookup(state, scope, parser)
    this.reads = new RegistryReads({ state, scope, parser, lookup })
    this.#writes = new RegistryWrites({ state, scope, parser, lookup, modesMayChange: config['mode.mutability'] })
    this.#log = new TopicLog({
      client,
      topic: config['kafkastore.topic'],
      onRecord: (record, timestamp) => {
        state.apply(record, timestamp)
        if (record.request !== undefined && this.#uncertain.has(record.request))
          this.#uncertain.set(record.request, true)
      },
      logger,
    })
    this.#leadership = new Leadership({
      client,
      groupId: config['schema.registry.group.id'],
      identity: { ...identity, key: this.#signer.publicKey },
      sessionTimeoutMs: config['kafkagroup.session.timeout.ms'],
      heartbeatIntervalMs: config['kafkagroup.heartbeat.interval.ms'],
      rebalanceTimeoutMs: config['kafkagroup.rebalance.timeout.ms'],
      readToEnd: () => this.#log.readToEnd(),
      logger,
      onChange: () => this.#wake(),
    })
  }

  get leads(): boolean {
    return this.#leadership.leads
  }

  /** Where another registry leads; undefined where this one does, or none is known. */
  get leaderUrl(): string | undefined {
    return this.#leadership.leaderUrl
  }

  /** Of the registries that may tell this one who has asked them. */
  get keys(): ReadonlySet<string> {
    return this.#leadership.keys
  }

  /** Resolves when all that the topic holds has been read. @throws LogError */
  async start(): Promise<void> {
    await this.#log.start()
    this.#leadership.start()
  }

  /** Whoever waits for a leader is answered that there is none. */
  stopWaiting(): void {
    this.#isStopping = true
    this.#wake()
  }

  async close(): Promise<void> {
    this.stopWaiting()
    this.#abandon?.(errors.timedOut('The registry has stopped before the write was confirmed'))
    await this.#work.close()
    await this.#leadership.close()
    await this.#log.close()
    this.#options.requests.close()
  }

  /**
   * What is asked for; where there is none, it is looked for again once all has been read that the log has now, since it
   * may have been written through another registry a moment ago.
   */
  async fresh<T>(read: () => T | Promise<T>): Promise<T> {
    try {
      return await settled(read)
    } catch (error) {
      if (!(error instanceof RegistryError && error.status === 404)) throw error
      await this.#refresh()
      return settled(read)
    }
  }

  /**
   * Carries out a change, or has the leader carry it out. While nobody leads, it is held for a time.
   * @throws RegistryError
   */
  async change<T>(request: ChangeRequest<T>): Promise<Changed<T>> {
    const holdMs = this.#options.config['rest.write.hold.ms']
    const endsAt = performance.now() + (request.isPassedOn ? Math.min(holdMs, MAX_PASSED_WAIT_MS) : holdMs)
    for (;;) {
      const { leads, leaderUrl, isChosen } = this.#leadership
      let trouble: RegistryError
      if (leads) {
        const done = await this.#inTurn(request.decide, endsAt)
        if (done !== undefined) return done
        trouble = errors.timedOut('The write was not confirmed in time')
      } else if (leaderUrl !== undefined && !request.isPassedOn) {
        const passedBack = await this.#passOn(leaderUrl, request)
        if (!(passedBack instanceof RegistryError)) return { passedBack }
        trouble = passedBack
      } else {
        trouble = errors.leaderUnknown()
        if (request.isPassedOn && !isChosen) throw trouble
      }
      if (this.#isStopping || performance.now() >= endsAt) throw trouble
      await this.#changes(Math.min(endsAt, performance.now() + LOOK_MS))
    }
  }

  /** Undefined: another leads, or this one has to begin anew. */
  #inTurn<T>(decide: (writes: RegistryWrites) => Decision<T>, endsAt: number): Promise<{ answer: T } | undefined> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ decide, endsAt, held: [], resolve: resolve as Queued['resolve'], reject })
    })
  }

  #enqueue(queued: Queued): void {
    this.#queue.push(queued)
    this.#writing ??= this.#writeAll().finally(() => (this.#writing = undefined))
  }

  /** What has come up since it was prepared, such as another large version, is worked on while others get their turn. */
  #putAside(queued: Queued, work: Promise<object>): void {
    work.then((found) => {
      queued.held.push(found)
      this.#enqueue(queued)
    }, queued.reject)
  }

  async #writeAll(): Promise<void> {
    while (this.#queue.length > 0) {
      // Who does not lead may not know all that there is.
      if (!this.leads) for (const { resolve } of this.#queue.splice(0)) resolve(undefined)
      const batch = this.#decideBatch()
      if (batch.length > 0) await this.#carryOut(batch)
    }
  }

  /**
   * Decides what has gathered, so that it goes in one transaction: each knows what the one before has come to, and when it
   * is done the state is what it was, for all who read.
   */
  #decideBatch(): readonly Decided[] {
    const batch: Decided[] = []
    const back: (() => void)[] = []
    let characters = 0
    const most = this.#alone > 0 ? 1 : MAX_BATCH
    this.#alone = Math.max(0, this.#alone - 1)
    for (
      let isOpen = true;
      isOpen && batch.length < most && characters < MAX_BATCH_CHARACTERS && this.#queue.length > 0;
    ) {
      const queued = this.#queue.shift()!
      try {
        const decision = queued.decide(this.#writes)
        const takeBack = this.state.tentatively(decision.records)
        batch.push({ queued, outcome: decision })
        for (const { value } of decision.records) characters += value?.length ?? 0
        if (takeBack === undefined) isOpen = false
        else back.push(takeBack)
      } catch (error) {
        if (error instanceof StillWorking) this.#putAside(queued, error.work)
        else batch.push({ queued, outcome: { records: [], refusal: error as Error } })
      }
    }
    for (const takeBack of back.reverse()) takeBack()
    return batch
  }

  /** Never throws. */
  async #carryOut(batch: readonly Decided[]): Promise<void> {
    const records = batch.flatMap(({ outcome }) => outcome.records)
    const done = (): void => {
      for (const { queued, outcome } of batch) {
        if ('refusal' in outcome) queued.reject(outcome.refusal)
        else queued.resolve({ answer: outcome.answer })
      }
    }
    const again = (): void => {
      for (const { queued } of batch) queued.resolve(undefined)
    }
    if (records.length === 0) {
      done()
      return
    }
    const name = randomUUID()
    this.#uncertain.set(name, false)
    try {
      await new Promise<void>((resolve, reject) => {
        this.#abandon = reject
        this.#write(records, name).then(resolve, reject)
      })
      done()
    } catch (error) {
      if (error instanceof RegistryError) {
        for (const { queued } of batch) queued.reject(error)
        return
      }
      if (error instanceof NotLeadingError) {
        again()
        return
      }
      if (error instanceof RefusedError) {
        this.#refused(batch, error.cause)
        return
      }
      this.#options.logger.warn('a write to the schema topic has failed', { error: messageOf(error) })
      // What has come of it stands in the topic, once the next leader, this one or another, has made an end to it.
      const endsAt = Math.max(...batch.map(({ queued }) => queued.endsAt))
      try {
        await within(endsAt - performance.now(), this.#log.readToEnd())
        if (this.#uncertain.get(name) === true) done()
        else again()
      } catch (unread) {
        for (const { queued } of batch) queued.reject(unread as Error)
      }
    } finally {
      this.#uncertain.delete(name)
    }
  }

  /** One spoils it for all: each for itself. */
  #refused(batch: readonly Decided[], cause: LogError): void {
    if (batch.length === 1) {
      batch[0]!.queued.reject(refusal(cause))
      return
    }
    this.#alone = batch.length
    this.#queue.unshift(...batch.map(({ queued }) => queued))
  }

  async #write(records: readonly LogRecord[], name: string): Promise<void> {
    const topic = this.#options.config['kafkastore.topic']
    const last = await this.#leadership.write(records.map((record) => outRecord(topic, { ...record, request: name })))
    if (last === undefined) await this.#log.readToEnd()
    else await this.#log.readPast(last)
  }

  /** @returns why it may be tried again; @throws RegistryError where it may not */
  async #passOn<T>(url: string, change: ChangeRequest<T>): Promise<LeaderAnswer | RegistryError> {
    const { isIdempotent } = change
    try {
      const passed = this.#withPrincipal(change)
      const answer = await this.#options.requests.ask(url, passed, () => this.leaderUrl === url && !this.#isStopping)
      if (isLeaderUnknown(answer)) return errors.leaderUnknown()
      // Who asked here asks here again, and has to find what was written.
      if (answer.status < 300) await this.#refresh()
      return answer
    } catch (error) {
      const trouble = errors.forwardingFailed(`Error while forwarding the request to the leader at ${url}`, error)
      if (!(error instanceof NoAnswerError) || (error.wasSent && !isIdempotent)) throw trouble
      return trouble
    }
  }

  /** Who knows this registry's key takes its word for who asks; any other, Confluent's too, has to see the log-in itself. */
  #withPrincipal({ passed, principal }: Pick<ChangeRequest<unknown>, 'passed' | 'principal'>): PassedRequest {
    if (principal === undefined || !this.#leadership.leaderKnowsKeys) return passed
    return {
      ...passed,
      headers: { ...passed.headers, authorization: undefined, ...this.#signer.headersFor(principal, passed) },
    }
  }

  /** @throws RegistryError 50001, 50002 */
  async #refresh(): Promise<void> {
    await within(this.#options.config['kafkastore.timeout.ms'], this.#log.readToEnd())
  }

  /** Resolves when something about who leads has changed, or the time is over. */
  async #changes(endsAt: number): Promise<void> {
    const waitMs = Math.max(0, endsAt - performance.now())
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#waiters.delete(done)
        resolve()
      }
      const timer = setTimeout(done, waitMs)
      this.#waiters.add(done)
    })
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake()
  }
}

function refusal(cause: LogError): RegistryError {
  if (cause.code === 'MESSAGE_TOO_LARGE' || cause.code === 'RECORD_LIST_TOO_LARGE') return errors.schemaTooLarge()
  return errors.storeFailed(`The log refuses the write: ${cause.message}`, cause)
}

function isLeaderUnknown({ status, body }: LeaderAnswer): boolean {
  return status === 500 && /"error_code":\s*50004\b/.test(body)
}

/** @throws RegistryError 50002 when the time is over; what becomes of the work then is nobody's concern */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(errors.timedOut('The log was not read in time')), Math.max(0, ms))
  })
  try {
    await Promise.race([work, limit])
  } catch (error) {
    throw error instanceof LogError ? errors.storeFailed(`The log cannot be read: ${error.message}`, error) : error
  } finally {
    clearTimeout(timer)
  }
}
