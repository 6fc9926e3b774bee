/** The public keys that a provider signs its tokens with, as they change: a key may be rotated while the worker runs. */
import { readFile } from 'node:fs/promises'
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'

/** Where a key set comes from, and how often it may be read. */
export interface KeySource {
  /** @throws Error */
  read(): Promise<JSONWebKeySet>
  /** Keys older than this are read again before one of them is used: one that was withdrawn is not good for longer. */
  readonly refreshMs: number
  /** Between two reads: tokens that name keys which nobody has are anybody's to send. */
  readonly pauseMs: number
}

/** While the source cannot be read, keys are good for so long after they were read last. */
const keepMs = 3_600_000
const fetchTimeoutMs = 5000

/** There are no keys to judge the token by, which says nothing about the token. */
export class KeysAwayError extends Error {
  override readonly name = 'KeysAwayError'
}

export class IssuerKeys {
  readonly #source: KeySource
  readonly #now: () => number
  #keys: { readonly find: JWTVerifyGetKey; readonly readAt: number } | undefined
  #attempt: { readonly at: number; readonly failure: Error | undefined } | undefined
  #reading: Promise<void> | undefined

  /** @param now in milliseconds */
  constructor(source: KeySource, now: () => number = () => performance.now()) {
    this.#source = source
    this.#now = now
  }

  /**
   * As jose's `jwtVerify` asks. The keys are read once they are needed, again when they are old, and when a token names one
   * that is not among them.
   * @throws errors.JWKSNoMatchingKey where the source has no such key; KeysAwayError where it cannot be asked
   */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    if (this.#age() >= this.#source.refreshMs) {
      const reading = this.#readAgain()
      // One who is away for longer is waited for once, and not by each request.
      if (this.#age() >= keepMs || this.#attempt?.failure === undefined) await reading
    }
    const known = this.#keys
    if (known === undefined || this.#age() >= keepMs) throw this.#away()
    try {
      return await known.find(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      await this.#readAgain()
      if (this.#attempt?.failure !== undefined) throw this.#away()
      if (this.#keys === known) throw error
      return this.#keys!.find(header, token)
    }
  }

  #age(): number {
    return this.#keys === undefined ? Infinity : this.#now() - this.#keys.readAt
  }

  #away(): KeysAwayError {
    const cause = this.#attempt?.failure
    return new KeysAwayError(cause?.message ?? 'the keys have not been read', { cause })
  }

  /** All who need it wait for one read; within the pause there is none. */
  #readAgain(): Promise<void> {
    if (this.#attempt !== undefined && this.#now() - this.#attempt.at < this.#source.pauseMs) {
      return this.#reading ?? Promise.resolve()
    }
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined))
    return this.#reading
  }

  async #read(): Promise<void> {
    let failure: Error | undefined
    try {
      const find = createLocalJWKSet(await this.#source.read())
      this.#keys = { find, readAt: this.#now() }
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error))
    }
    this.#attempt = { at: this.#now(), failure }
  }
}

/** A file of JSON: to read it again costs little. */
export function keysOfFile(path: string): KeySource {
  const read = async () => {
    try {
      return JSON.parse(await readFile(path, 'utf8')) as JSONWebKeySet
    } catch (error) {
      throw new Error(`${path}: ${(error as Error).message}`, { cause: error })
    }
  }
  return { read, refreshMs: 10_000, pauseMs: 1000 }
}

/** @param find where they are: asked with each read, since a provider may move them */
export function keysOfUrl(find: () => Promise<URL>): KeySource {
  const read = async () => (await fetchJson(await find())) as JSONWebKeySet
  return { read, refreshMs: 600_000, pauseMs: 10_000 }
}

/** @throws Error that names the URL */
export async function fetchJson(url: URL): Promise<unknown> {
  try {
    const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(fetchTimeoutMs) })
    if (!answer.ok) throw new Error(`answered ${answer.status}`)
    return await answer.json()
  } catch (error) {
    const { message, cause } = error as Error
    throw new Error(`${url.href}: ${cause instanceof Error ? cause.message : message}`, { cause: error })
  }
}
