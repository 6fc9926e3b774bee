import { DataError, Decimal, type ConnectRecord } from '@tidewire/sdk'
import type { ASTNode, ParseResult } from '@marcbachmann/cel-js'
import { setProperty } from '@tidewire/sdk/values'
import { celEnvironment, celLibrary, held, variables } from './cel-environment.ts'
import { guarded, nodesOf, startWatch, stopped } from './cel-guard.ts'

/** What an expression sees of a record. */
export type Scope = Readonly<Record<(typeof variables)[number], unknown>>

/** How long one evaluation may take. */
const limitMs = 100

/** Most values that a result may be made of. */
const maxValues = 1_000_000

/** An expression, compiled once. */
export class CelExpression {
  readonly text: string
  readonly ast: ASTNode
  readonly #run: ParseResult
  readonly #hasLoops: boolean
  readonly #isPath: boolean

  /** @throws RangeError where it is none, or its types do not fit */
  constructor(text: string) {
    this.text = text
    const env = celEnvironment()
    try {
      this.ast = env.parse(text).ast
      refuseOddNames(this.ast)
      const { text: safe, hasLoops } = guarded(this.ast)
      this.#run = env.parse(safe)
      this.#hasLoops = hasLoops
      this.#isPath = isPath(this.ast)
      requireGuards(this.#run.ast)
      const { valid, error } = this.#run.check()
      if (!valid && error !== undefined) throw error
    } catch (cause) {
      throw new RangeError(`expression ${text}: ${summaryOf(cause)}`, { cause })
    }
  }

  /** Whether it looks at a variable at all. */
  uses(name: (typeof variables)[number]): boolean {
    for (const node of nodesOf(this.ast)) if (node.op === 'id' && node.args === name) return true
    return false
  }

  /**
   * What it gives, in the form in which records hold values.
   * @throws DataError where the record does not fit it, and where it does not come to an end in time
   */
  evaluate(scope: Scope): unknown {
    if (this.#hasLoops) startWatch(limitMs)
    try {
      const result: unknown = this.#run(scope)
      const reason = this.#hasLoops ? stopped() : undefined
      if (reason !== undefined) throw new RangeError(reason)
      // A path leads to what the record holds.
      return this.#isPath ? (result ?? null) : toHeld(result, { left: maxValues })
    } catch (cause) {
      const reason = this.#hasLoops ? stopped() : undefined
      throw new DataError(`expression ${this.text}: ${reason ?? summaryOf(cause)}`, { cause })
    }
  }

  /** @throws DataError where it gives something else, too */
  isTrue(scope: Scope): boolean {
    const result = this.evaluate(scope)
    if (typeof result !== 'boolean') throw new DataError(`expression ${this.text}: gives no true or false`)
    return result
  }
}

function isPath(node: ASTNode): boolean {
  return node.op === 'id' || (node.op === '.' && isPath(node.args[0]))
}

/** It may hold a value of the record, which has no end. */
const maxSummaryLength = 200

/** The library's errors show the text with a mark below it; here the first line does. */
function summaryOf(error: unknown): string {
  const { code, summary, message } = error as { code?: string; summary?: string; message: string }
  const text = summary ?? message.split('\n', 1)[0]!
  const told = text.length <= maxSummaryLength ? text : `${text.slice(0, maxSummaryLength)}…`
  if (code === 'unknown_variable') return `${told}; there are ${variables.join(', ')}, and fields as in value.name`
  return code === 'no_such_key' ? `${told}; has(…) tells whether it is there` : told
}

/** A name that the library passes over without a word. @throws RangeError */
function refuseOddNames(root: ASTNode): void {
  for (const node of nodesOf(root)) {
    if (node.op === 'id' && node.args.startsWith('tidewire')) throw new RangeError(`${node.args} is not defined`)
    if (node.op === 'call' && node.args[0].startsWith('tidewire')) throw new RangeError(`no function ${node.args[0]}`)
    if (node.op !== 'map') continue
    for (const [name] of node.args) {
      if (name.op === 'value' && ['__proto__', 'constructor', 'prototype'].includes(String(name.args))) {
        throw new RangeError(`a field cannot be named ${String(name.args)}`)
      }
    }
  }
}

/** @throws RangeError where a look was written into a comment, say */
function requireGuards(root: ASTNode): void {
  for (const node of nodesOf(root)) {
    if (node.op === 'rcall' && node.args[0] === 'matches') throw new RangeError('matches is not written as name(')
  }
}

/** @throws RangeError for what no record can hold */
function toHeld(value: unknown, budget: { left: number }): unknown {
  switch (typeof value) {
    case 'bigint':
      return held(value)
    case 'object':
      break
    case 'undefined':
      return null
    default:
      return value
  }
  if (--budget.left < 0) throw new RangeError('its result is made of too many values')
  if (value === null || value instanceof Decimal || value instanceof Uint8Array) return value
  if (value instanceof Date) return value.getTime()
  if (Array.isArray(value)) return value.map((item) => toHeld(item, budget))
  if (value instanceof Set) return [...value].map((item) => toHeld(item, budget))
  if (value instanceof Map) {
    const made = new Map<unknown, unknown>()
    for (const [key, item] of value as Map<unknown, unknown>) made.set(toHeld(key, budget), toHeld(item, budget))
    return made
  }
  const { Optional } = celLibrary()
  if (value instanceof Optional) return toHeld(value.hasValue() ? value.value() : null, budget)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    throw new RangeError(`its result holds a ${value.constructor.name}, which no record can`)
  }
  const made: Record<string, unknown> = {}
  for (const [name, item] of Object.entries(value)) setProperty(made, name, toHeld(item, budget))
  return made
}

/** The variables of a record; its value and its key as read by who knows their schemas. */
export function scopeOf(record: ConnectRecord, value: unknown, key: unknown, hasHeaders: boolean): Scope {
  const { topic, partition, offset, timestamp, headers } = record
  const byName: Record<string, unknown> = {}
  if (hasHeaders) for (const header of headers ?? []) setProperty(byName, header.key, header.value ?? null)
  return {
    value: value ?? null,
    key: key ?? null,
    headers: byName,
    topic,
    partition: partition ?? null,
    offset: offset ?? null,
    timestamp: timestamp === undefined || timestamp === -1 ? null : timestamp,
  }
}
