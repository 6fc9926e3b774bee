/** Puts workers through a script of REST calls, and tells where their answers differ. */
import type { Step } from './connect-script.ts'
import { until } from './until.ts'

/** A worker, and what stands for `@` with it. */
export interface Contender {
  readonly url: string
  /** Of its connectors' and topics' names. */
  readonly prefix: string
  /** Of the files of its connectors. */
  readonly folder: string
  /** As statuses name it. */
  readonly workerId: string
}

export interface ContractAnswer {
  readonly status: number
  readonly location: string | null
  readonly body: unknown
}

/** Makes the call, over and over where the step waits for something. What is the worker's own is `@` in the answer. */
export async function take(
  { name, call, body, headers, until: isDone = isSettled }: Step,
  on: Contender,
  limitMs = 60_000,
): Promise<ContractAnswer> {
  const ask = async (): Promise<ContractAnswer> => {
    const [method, path] = call.split(' ') as [string, string]
    const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body)
    const response = await fetch(on.url + toOwn(path, on), {
      method,
      ...(text === undefined
        ? {}
        : { body: toOwn(text, on), headers: { 'content-type': 'application/json', ...headers } }),
      redirect: 'manual',
      signal: AbortSignal.timeout(100_000),
    })
    const answered = fromOwn(await response.text(), on)
    const location = response.headers.get('location')
    return {
      status: response.status,
      // Kafka Connect sends it with scheme and host.
      location: location === null ? null : fromOwn(new URL(location, on.url).pathname, on),
      body: parsed(answered),
    }
  }
  let last: ContractAnswer | undefined
  const again = async (): Promise<boolean> => {
    last = await ask()
    return isDone(last.body as never, last.status)
  }
  await until(name, again, limitMs).catch((error: unknown) => {
    throw new Error(`${(error as Error).message}; last answer of ${on.prefix}: ${JSON.stringify(last)}`, {
      cause: error,
    })
  })
  return last!
}

/** Kafka Connect refuses what comes before it has read what it was told last, and means that one asks again. */
const isSettled = (body: unknown, status: number): boolean =>
  status !== 409 || !JSON.stringify(body).includes('momentarily')

function toOwn(text: string, { prefix, folder }: Contender): string {
  return text.replaceAll('@folder', folder).replaceAll('@', prefix)
}

function fromOwn(text: string, { prefix, folder, workerId }: Contender): string {
  return text.replaceAll(folder, '@folder').replaceAll(prefix, '@').replaceAll(workerId, '@worker')
}

function parsed(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

export interface Difference {
  /** `status`, `body.config.file`, … */
  readonly field: string
  /** Undefined: it is not there. */
  readonly theirs: unknown
  readonly ours: unknown
}

/** What is another with each worker, each release or each run; it only has to be of the same kind. */
const volatile = new Set(['version', 'commit', 'last_modified', 'trace'])

/** Each field in which the answers differ. Lists whose order means nothing are compared by what they hold. */
export function differences(
  theirs: ContractAnswer,
  ours: ContractAnswer,
  ignores: readonly string[] = [],
): Difference[] {
  const found: Difference[] = []
  compare('', theirs, ours, found)
  return found.filter(({ field }) => !ignores.some((ignored) => field === ignored || field.startsWith(`${ignored}.`)))
}

function compare(field: string, theirs: unknown, ours: unknown, found: Difference[]): void {
  const [a, b] = [byName(theirs), byName(ours)]
  if (isObject(a) && isObject(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      if (volatile.has(key) && a[key] !== undefined && kindOf(a[key]) === kindOf(b[key])) continue
      compare(field === '' ? key : `${field}.${key}`, a[key], b[key], found)
    }
  } else if (JSON.stringify(a) !== JSON.stringify(b)) {
    found.push({ field, theirs, ours })
  }
}

/** Lists of what has a name become objects, lists of texts are sorted. */
function byName(value: unknown): unknown {
  if (!Array.isArray(value)) return value
  if (value.every((each) => typeof each === 'string')) return [...value].sort()
  const names = value.map(nameOf)
  if (value.length === 0 || names.includes(undefined)) return Object.fromEntries(Object.entries(value))
  return Object.fromEntries(value.map((each: unknown, at) => [names[at]!, each]))
}

/** Plugins go by class and type, settings by name, tasks by number. */
function nameOf(value: unknown): string | undefined {
  if (!isObject(value)) return undefined
  if (typeof value['class'] === 'string') return `${value['class']} (${String(value['type'])})`
  if (isObject(value['value'])) return value['value']['name'] as string
  return typeof value['name'] === 'string' ? value['name'] : undefined
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : typeof value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
