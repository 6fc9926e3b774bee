/**
 * Schemas that are too large to be worked on between two requests. Their functions give what a thread has found out, and where
 * it has not yet, say so: whoever asked waits, and asks again.
 */
import type { CompatibilityPolicy, ParsedSchema, SchemaType } from '../schemas/schema-format.ts'
import { errors } from './registry-error.ts'
import type { SchemaOutcome, SchemaSource, SchemaTask, SchemaWork } from './schema-work.ts'

/** Thrown where an answer has to be waited for: with the same question again there will be one. */
export class StillWorking extends Error {
  override readonly name = 'StillWorking'
  /** What it gives has to be held until the question was asked again, lest it is forgotten. */
  readonly work: Promise<object>

  constructor(work: Promise<object>) {
    super('a large schema is being worked on')
    this.work = work
    // Nobody may come to wait for it.
    work.catch(() => undefined)
  }
}

/** Asks until there is an answer. What is asked must do no harm when it is asked again. */
export async function settled<T>(ask: () => T | Promise<T>): Promise<T> {
  const held: object[] = []
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof StillWorking)) throw error
      held.push(await error.work)
    }
  }
}

/** Where schemas that were parsed here come from: to be compared with a large one, they are parsed in its thread too. */
const sources = new WeakMap<ParsedSchema, SchemaSource>()

export function rememberSource(schema: ParsedSchema, source: SchemaSource): void {
  sources.set(schema, source)
}

export class LargeSchema implements ParsedSchema {
  readonly type: SchemaType
  readonly #source: SchemaSource
  readonly #work: SchemaWork
  /** By what was asked. */
  readonly #outcomes = new Map<string, SchemaOutcome>()
  readonly #asked = new Map<string, Promise<this>>()

  constructor(source: SchemaSource, work: SchemaWork) {
    this.type = source.type
    this.#source = source
    this.#work = work
    rememberSource(this, source)
  }

  /** @throws StillWorking; RegistryError 42201 where the text is no schema: as the other functions */
  get canonical(): string {
    return this.#found('canonical', { kind: 'canonical', source: this.#source }) as string
  }

  normalized(): string {
    return this.#found('normalized', { kind: 'normalized', source: this.#source }) as string
  }

  checkNew(): void {
    this.#found('checkNew', { kind: 'checkNew', source: this.#source })
  }

  formatted(format: string): string | undefined {
    const task = { kind: 'formatted', source: this.#source, format } as const
    return this.#found(`formatted ${format}`, task) as string | undefined
  }

  compatibility(writer: ParsedSchema, policy: CompatibilityPolicy = 'STRICT'): readonly string[] {
    return this.#compared(this.#source, sourceOf(writer), policy)
  }

  /** What the other one, which may be small, would say as the reader of this one. */
  readableBy(reader: ParsedSchema, policy: CompatibilityPolicy): readonly string[] {
    return this.#compared(sourceOf(reader), this.#source, policy)
  }

  #compared(reader: SchemaSource, writer: SchemaSource, policy: CompatibilityPolicy): readonly string[] {
    const question = `${policy}: ${reader.key} reads ${writer.key}`
    return this.#found(question, { kind: 'compare', reader, writer, policy }) as readonly string[]
  }

  #found(question: string, task: SchemaTask): unknown {
    const outcome = this.#outcomes.get(question)
    if (outcome === undefined) throw new StillWorking(this.#ask(question, task))
    if ('value' in outcome) return outcome.value
    throw errors.invalidSchema(`Invalid schema of type ${this.type}, details: ${outcome.invalid}`)
  }

  #ask(question: string, task: SchemaTask): Promise<this> {
    const asked = this.#asked.get(question) ?? this.#find(question, task).finally(() => this.#asked.delete(question))
    this.#asked.set(question, asked)
    return asked
  }

  async #find(question: string, task: SchemaTask): Promise<this> {
    this.#outcomes.set(question, await this.#work.run(task))
    return this
  }
}

function sourceOf(schema: ParsedSchema): SchemaSource {
  const source = sources.get(schema)
  if (source === undefined) throw new Error('a schema of unknown origin cannot be compared')
  return source
}
