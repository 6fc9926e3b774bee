/** The transforms of one task: made from its spec, and gone through by each record in their order. */
import {
  ConfigError,
  ConnectError,
  type ConfigOf,
  type ConfigProblems,
  type ConnectRecord,
  type Predicate,
  type PredicateDefinition,
  type Settings,
  type Transform,
  type TransformContext,
  type TransformDefinition,
  isRetriable,
} from '@tidewire/sdk'
import { compileSettings } from '../config/settings.ts'
import type { ChainKind } from '../config/transform-settings.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import { loadPredicate, loadTransform } from '../plugin/load.ts'
import { problemLists, requireValid } from './connector-config.ts'
import type { ErrorPolicy } from './error-policy.ts'
import { isPending } from './record-converters.ts'
import { isPermanent } from './restart-policy.ts'
import type { ChainPartSpec, TransformSpec } from './task-spec.ts'

/** A transform that is not made yet. */
export interface LoadedTransform {
  readonly alias: string
  readonly definition: TransformDefinition
  readonly config: ConfigOf<Settings>
  readonly predicate: Predicate | undefined
  readonly negate: boolean
}

/**
 * Loads the plugins and reads their settings.
 * @throws ConfigError that names the settings at fault with their prefix, as the user wrote them
 */
export async function loadTransforms(specs: readonly TransformSpec[]): Promise<LoadedTransform[]> {
  return Promise.all(
    specs.map(async (spec) => {
      const { alias, negate } = spec
      const definition = await loadTransform(spec.ref)
      const config = configOf('transforms', spec, definition)
      const predicate = spec.predicate && (await makePredicate(spec.predicate))
      return { alias, definition, config, predicate, negate }
    }),
  )
}

async function makePredicate(spec: ChainPartSpec): Promise<Predicate> {
  const definition = await loadPredicate(spec.ref)
  return definition.create(configOf('predicates', spec, definition))
}

function configOf(
  kind: ChainKind,
  { alias, config: raw }: ChainPartSpec,
  definition: TransformDefinition | PredicateDefinition,
): ConfigOf<Settings> {
  const { config, problems } = parsePart(definition, raw)
  requireValid(Object.fromEntries(Object.entries(problems).map(([name, texts]) => [`${kind}.${alias}.${name}`, texts])))
  return config
}

/** The settings of a transform or a predicate, and all that is wrong with them, its own `check` included. */
export function parsePart(
  { config: settings, check }: TransformDefinition | PredicateDefinition,
  raw: Readonly<Record<string, string>>,
): { readonly config: ConfigOf<Settings>; readonly problems: Record<string, string[]> } {
  const { config, errors } = compileSettings(settings)(raw)
  if (Object.keys(errors).length > 0) return { config, problems: errors }
  const found: ConfigProblems = check?.(config) ?? {}
  return { config, problems: problemLists(found) }
}

interface Step extends LoadedTransform {
  readonly transform: Transform
}

export interface ChainOptions {
  readonly transforms: readonly LoadedTransform[]
  readonly policy: Pick<ErrorPolicy, 'attempt'>
  /** Aborted when the task is to end. */
  readonly signal: AbortSignal
  readonly logger: Logger
  readonly contextOf: (alias: string) => TransformContext
  /** Called when all are ended. */
  readonly release?: () => void
}

/** See the head of the file. One record at a time: whoever waits for an answer asks nothing else meanwhile. */
export class TransformChain {
  readonly #options: ChainOptions
  readonly #steps: Step[] = []
  #at = 0
  #closed = false

  constructor(options: ChainOptions) {
    this.#options = options
  }

  /**
   * Makes the transforms, each when those before it are there.
   * @throws what a transform throws that cannot be made, with its name
   */
  async open(): Promise<void> {
    for (const part of this.#options.transforms) {
      const step = { ...part, transform: await this.#make(part) }
      // The task ended meanwhile, and nobody comes to end this one.
      if (this.#closed) return this.#end(step)
      this.#steps.push(step)
    }
  }

  async #make({ alias, definition, config }: LoadedTransform): Promise<Transform> {
    try {
      return await definition.create(config, this.#options.contextOf(alias))
    } catch (error) {
      const message = `transform ${definition.name} (transforms.${alias}): ${messageOf(error)}`
      throw isPermanent(error)
        ? new ConfigError(message, { cause: error })
        : new ConnectError(message, { cause: error })
    }
  }

  /** The type of the transform that was at work last, which is the one that failed where one did. */
  get operation(): string {
    return this.#steps[this.#at]?.definition.name ?? 'transforms'
  }

  /** The alias of that transform. */
  get alias(): string {
    return this.#steps[this.#at]?.alias ?? ''
  }

  /** The setting that names it. */
  get setting(): string {
    return `transforms.${this.alias}`
  }

  /**
   * What becomes of a record; null: it is dropped, and those after that do not see it. A transform that fails in passing is
   * tried again as the error policy says, and those before it are not.
   * @throws what a transform or its predicate throws
   */
  apply<R extends ConnectRecord>(record: R): R | null | Promise<R | null> {
    const steps = this.#steps
    let current = record
    for (let i = 0; i < steps.length; i++) {
      this.#at = i
      const given = current
      let answer: R | null | Promise<R | null>
      try {
        answer = run(steps[i]!, given)
      } catch (error) {
        if (!isRetriable(error)) throw error
        return this.#applyWaiting(given, i, () => {
          throw error
        })
      }
      if (isPending(answer)) {
        const pending = answer
        return this.#applyWaiting(given, i, () => pending)
      }
      if (answer === null) return null
      current = answer
    }
    return current
  }

  /** Goes on from a transform that has something to wait for, or failed in passing. */
  async #applyWaiting<R extends ConnectRecord>(
    record: R,
    from: number,
    first: () => Promise<R | null>,
  ): Promise<R | null> {
    const { policy, signal } = this.#options
    let answered: (() => Promise<R | null>) | undefined = first
    let current = record
    for (let i = from; i < this.#steps.length; i++) {
      this.#at = i
      const given = current
      const step = this.#steps[i]!
      const answer: R | null = await policy.attempt(() => {
        const again = answered
        answered = undefined
        return again === undefined ? run(step, given) : again()
      }, signal)
      if (answer === null) return null
      current = required(step, answer)
    }
    return current
  }

  /** To be called once, when the task ends, however far {@link open} came. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#steps.splice(0).map((step) => this.#end(step)))
    this.#options.release?.()
  }

  async #end({ alias, transform }: Step): Promise<void> {
    try {
      await transform.close?.()
    } catch (error) {
      this.#options.logger.warn('a transform failed while it was ended', { alias, error: messageOf(error) })
    }
  }
}

function run<R extends ConnectRecord>(step: Step, record: R): R | null | Promise<R | null> {
  const { predicate, negate, transform } = step
  if (predicate !== undefined && predicate.test(record) === negate) return record
  const answer = transform.apply(record)
  return answer === null || answer instanceof Promise ? answer : required(step, answer)
}

/** To drop a record is said with null: what returns nothing has forgotten to. */
function required<R extends ConnectRecord>({ alias, definition }: Step, answer: R | undefined): R {
  if (typeof answer === 'object') return answer
  throw new TypeError(
    `transform ${definition.name} (transforms.${alias}) returned ${String(answer)}: it returns the record, a changed copy, or null to drop it`,
  )
}
