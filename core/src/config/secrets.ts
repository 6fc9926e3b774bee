/**
 * Keeps secrets out of answers: settings declared as `password` are shown as a mask, and a mask that comes back in a
 * write stands for the stored value, so that tools which read, change and write a config go on working.
 */
import { inspect } from 'node:util'
import { settingOf, type Settings } from '@tidewire/sdk'
import { isSecretOverride } from './client-settings.ts'
import { literalPattern } from './literal-pattern.ts'

/** What is shown in place of a secret. */
export const secretMask = '********'

// A setting that no declaration knows may still be a secret, mistyped.
const soundsSecret =
  /passw|passphrase|secret|token|credential|api[._-]?key|private[._-]?key|jaas|user[._-]?info|authorization|bearer/i

/**
 * The config as it may be shown. Without the declaration (its plugin is gone or broken) nobody can say what is secret,
 * so all but the `open` names is masked. A value that is no secret itself, but says where one is, is shown.
 */
export function maskSecrets(
  config: Readonly<Record<string, string>>,
  settings: Settings | undefined,
  open: Settings,
  isReference: (value: string) => boolean = () => false,
): Record<string, string> {
  const secret = secretNames(config, settings, open, isReference)
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [name, secret.has(name) ? secretMask : value]),
  )
}

/** A config as it is to be stored: masks give way to the stored values. A mask with nothing stored stays. */
export function unmaskSecrets(
  config: Readonly<Record<string, string>>,
  stored: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [
      name,
      value === secretMask && stored !== undefined && Object.hasOwn(stored, name) ? stored[name]! : value,
    ]),
  )
}

/**
 * Which settings of a config are secret: those that are declared so, those that nobody declares but sound so, and those
 * that nobody declares and hold the value of another one, as a URL that a connector has made for its task.
 */
export function secretNames(
  config: Readonly<Record<string, string>>,
  settings: Settings | undefined,
  open: Settings,
  isReference: (value: string) => boolean = () => false,
): ReadonlySet<string> {
  const entries = Object.entries(config).filter(([, value]) => !isReference(value))
  const secret = new Set(entries.flatMap(([name]) => (isSecret(name, settings, open) ? [name] : [])))
  const values = [...secret].map((name) => config[name]!.trim())
  const pattern = literalPattern(values.filter((value) => value.length >= shortestSought))
  if (pattern === undefined) return secret
  for (const [name, value] of entries) {
    const isDeclared = settingOf(settings ?? {}, name) !== undefined || Object.hasOwn(open, name)
    if (!isDeclared && value.search(pattern) >= 0) secret.add(name)
  }
  return secret
}

/** The values of a config's secrets. */
export function secretValues(
  config: Readonly<Record<string, string>>,
  settings: Settings | undefined,
  open: Settings,
): string[] {
  return [...secretNames(config, settings, open)].map((name) => config[name]!)
}

/** Shorter ones would be found in any text. */
const shortestSought = 4

/**
 * Takes secrets out of texts that connectors and drivers make, which must not hold any and sometimes do: as they are, and
 * as they stand in URLs and JSON. Those of fewer than four characters are left.
 */
export class Secrets {
  readonly #known = new Set<string>()
  #pattern: RegExp | undefined

  add(values: Iterable<string>): void {
    for (const value of values) {
      const bare = value.trim()
      if (bare.length < shortestSought || bare === secretMask) continue
      for (const form of [bare, encodeURIComponent(bare.toWellFormed()), JSON.stringify(bare).slice(1, -1)])
        this.#known.add(form)
    }
    this.#pattern = literalPattern(this.#known)
  }

  readonly scrub = (text: string): string =>
    this.#pattern === undefined ? text : text.replaceAll(this.#pattern, secretMask)

  /** A copy of what is to be logged or told, with the texts in it scrubbed. */
  scrubAll<T>(value: T): T {
    return this.#pattern === undefined ? value : (this.#scrubbed(value, 0) as T)
  }

  #scrubbed(value: unknown, depth: number): unknown {
    if (typeof value === 'string') return this.scrub(value)
    if (value instanceof Error) return this.error(value)
    if (typeof value !== 'object' || value === null) return value
    // Nobody reads what is deeper; it may also be a ring.
    if (depth > 5) return '…'
    if (Array.isArray(value)) return value.map((item) => this.#scrubbed(item, depth + 1))
    const isPlain = [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null)
    // A socket, a buffer: as text, which is all that a log has of it.
    if (!isPlain) return this.scrub(inspect(value))
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, this.#scrubbed(item, depth + 1)]))
  }

  /** The same error with its texts, and those of its causes, scrubbed; its kind stays recognisable by its fields. */
  error(error: Error): Error {
    if (this.#pattern === undefined) return error
    const { name, message, stack, cause } = error
    const { code, retriable, setting } = error as { code?: unknown; retriable?: unknown; setting?: unknown }
    const clean = new Error(this.scrub(message), cause === undefined ? {} : { cause: this.scrubAll(cause) })
    return Object.assign(clean, {
      name,
      stack: this.scrub(stack ?? message),
      ...(code === undefined ? {} : { code }),
      ...(retriable === undefined ? {} : { retriable }),
      ...(setting === undefined ? {} : { setting }),
    })
  }
}

function isSecret(name: string, settings: Settings | undefined, open: Settings): boolean {
  if (isSecretOverride(name)) return true
  const declared = settings === undefined ? undefined : settingOf(settings, name)
  if (declared !== undefined) return declared[1].type === 'password'
  if (Object.hasOwn(open, name)) return open[name]!.type === 'password'
  return settings === undefined || soundsSecret.test(name)
}
