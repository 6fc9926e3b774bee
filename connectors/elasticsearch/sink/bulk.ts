import { failureIn, isObject, isPassingStatus, type Failure } from '../link/errors.ts'
import type { Action } from './action.ts'

/** Records that go to the server in one request. */
export interface Bulk {
  actions: Action[]
  /** What is sent. */
  bytes: Buffer
  /** How many times it was sent in vain, or what it is the rest of. */
  failures: number
  /** The documents' index was not there: it is looked for, and made, before it is sent again. */
  missing: ReadonlySet<string>
}

/** What became of an action, as the server has it. */
export type Outcome =
  | { readonly kind: 'stored' }
  /** The document was there as new or newer. */
  | { readonly kind: 'conflict'; readonly current: number | undefined }
  | { readonly kind: 'again'; readonly status: number; readonly failure: Failure }
  /** The index is not there. */
  | { readonly kind: 'missing'; readonly failure: Failure }
  /** The document is to blame. */
  | { readonly kind: 'malformed'; readonly status: number; readonly failure: Failure }
  /** Neither the document nor the moment: nothing of it can be written. */
  | { readonly kind: 'forbidden'; readonly status: number; readonly failure: Failure }

const stored: Outcome = { kind: 'stored' }

/** What an answer has to have; all else is left out of it. */
export const bulkFilter = 'errors,items.*.status,items.*.error'

/**
 * Reads what the server says of each action of a bulk.
 * @returns undefined where all are stored
 * @throws TypeError where the answer is none to this bulk
 */
export function readOutcomes(text: string, actions: readonly Action[]): readonly Outcome[] | undefined {
  // The common case: what is in it need not be looked at.
  if (text.startsWith('{"errors":false,')) return undefined
  const body = JSON.parse(text) as unknown
  const items = isObject(body) ? body['items'] : undefined
  if (!Array.isArray(items) || items.length !== actions.length) {
    throw new TypeError(`the answer to a bulk of ${actions.length} documents tells of ${itemCount(items)}`)
  }
  return items.map((item, at) => outcomeOf(Object.values(item as object)[0], actions[at]!))
}

function itemCount(items: unknown): string {
  return Array.isArray(items) ? String(items.length) : 'none'
}

function outcomeOf(item: unknown, action: Action): Outcome {
  const status = isObject(item) && typeof item['status'] === 'number' ? item['status'] : 0
  const error = isObject(item) ? item['error'] : undefined
  if (error === undefined && ((status >= 200 && status < 300) || (status === 404 && action.kind === 'delete')))
    return stored
  const failure = failureIn(error)
  if (status === 409) return conflictOf(action, failure)
  if (isPassingStatus(status, failure.type)) return { kind: 'again', status, failure }
  if (status === 404) return { kind: 'missing', failure }
  if (status === 401 || status === 403) return { kind: 'forbidden', status, failure }
  return { kind: 'malformed', status, failure }
}

function conflictOf(action: Action, failure: Failure): Outcome {
  // Of an update: other writers were quicker more often than it was tried. It says nothing of what is there.
  if (!action.versioned && action.kind !== 'create') return { kind: 'again', status: 409, failure }
  const current = /current version \[(\d+)\]/.exec(failure.reason)?.[1]
  return { kind: 'conflict', current: current === undefined ? undefined : Number(current) }
}

/** The bytes of some of a bulk's actions, which then are of the new one. */
export function bulkOf(actions: Action[], from: Bulk, failures: number): Bulk {
  const whole = actions.length === from.actions.length
  const bytes = whole ? from.bytes : Buffer.concat(actions.map((action) => from.bytes.subarray(action.from, action.to)))
  const bulk: Bulk = { actions, bytes, failures, missing: new Set() }
  let at = 0
  for (const action of actions) {
    const length = action.to - action.from
    action.from = at
    action.to = at += length
    action.bulk = bulk
  }
  return bulk
}
