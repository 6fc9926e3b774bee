import {
  defineConfig,
  defineTransform,
  type ConfigOf,
  type ConnectRecord,
  type Transform,
  type TransformContext,
} from '@tidewire/sdk'
import { CelExpression } from './cel/cel-expression.ts'
import { checkExpressions, scopeReader } from './cel/record-expressions.ts'
import { keyText } from './key-text.ts'

const config = defineConfig({
  key: {
    type: 'string',
    default: 'key',
    importance: 'high',
    doc: 'An expression (CEL) that tells records apart, such as `value.id`. Records for which it gives null pass.',
  },
  'window.ms': {
    type: 'long',
    default: 600_000,
    minimum: 1,
    importance: 'high',
    doc: 'How long a key is remembered from when its first record came, in milliseconds.',
  },
  'max.bytes': {
    type: 'long',
    default: 16_777_216,
    minimum: 1024,
    doc: 'Most memory for the keys of a task, in bytes: beyond it the oldest are forgotten.',
  },
})

export const dedupe = defineTransform({
  name: 'dedupe',
  doc: 'Drops records whose key came before, within a time and within memory. A task that starts again remembers nothing.',
  config,
  check: ({ key }) => checkExpressions({ key }, (text) => new CelExpression(text)),
  create: (settings, context) => new Dedupe(settings, context),
})

/** What an entry takes besides its key. */
const entryBytes = 150
const toldEveryBytes = 64 * 1024

interface Seen {
  /** Of the monotonic clock. */
  readonly atMs: number
  /** Of a sink's record: where it is in the log. */
  readonly position: string | undefined
}

class Dedupe implements Transform {
  readonly #windowMs: number
  readonly #maxBytes: number
  readonly #context: TransformContext
  readonly #key: CelExpression
  readonly #scopeOf
  /** In the order in which they came. */
  readonly #seen = new Map<string, Seen>()
  #bytes = 0
  #told = 0

  constructor(settings: ConfigOf<typeof config>, context: TransformContext) {
    this.#windowMs = settings['window.ms']
    this.#maxBytes = settings['max.bytes']
    this.#context = context
    this.#key = new CelExpression(settings.key)
    this.#scopeOf = scopeReader([this.#key])
  }

  apply<R extends ConnectRecord>(record: R): R | null {
    const value = this.#key.evaluate(this.#scopeOf(record))
    if (value === null) return record
    const key = keyText(value)
    const nowMs = performance.now()
    this.#forget(nowMs)
    const position = positionOf(record)
    const seen = this.#seen.get(key)
    // A record that a sink's task reads again, since it was not delivered, is none that came before.
    if (seen !== undefined) return position !== undefined && seen.position === position ? record : null
    this.#seen.set(key, { atMs: nowMs, position })
    this.#bytes += sizeOf(key)
    this.#forget(nowMs)
    if (Math.abs(this.#bytes - this.#told) > toldEveryBytes) {
      this.#told = this.#bytes
      this.#context.holds(this.#bytes)
    }
    return record
  }

  #forget(nowMs: number): void {
    for (const [key, { atMs }] of this.#seen) {
      if (nowMs - atMs < this.#windowMs && this.#bytes <= this.#maxBytes) return
      this.#seen.delete(key)
      this.#bytes -= sizeOf(key)
    }
  }
}

function positionOf({ topic, partition, offset }: ConnectRecord): string | undefined {
  return offset === undefined ? undefined : `${partition} ${offset} ${topic}`
}

function sizeOf(key: string): number {
  return 2 * key.length + entryBytes
}
