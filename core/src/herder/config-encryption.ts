/**
 * Secrets as they stand in the config topic, where a key is configured: each by itself, under AES-256-GCM, bound to its
 * connector and its setting, so that none can be moved to where it would be shown. All else stays as Kafka Connect writes it.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { ConfigError } from '@tidewire/sdk'

type Config = Readonly<Record<string, string>>

const prefix = '$tidewire-encrypted:1:'
const encrypted = /^\$tidewire-encrypted:1:([0-9a-f]{16}):([A-Za-z0-9+/=]+)$/
const nonceBytes = 12
const tagBytes = 16

/** Which settings of a config are secret. */
type SecretsOf = (config: Config) => ReadonlySet<string>

interface Key {
  /** Tells keys apart, and tells nothing about them. */
  readonly id: string
  readonly key: Buffer
}

/** The worker's keys: the first encrypts, all of them decrypt. Without any, what is encrypted stays so. */
export class ConfigEncryption {
  readonly #keys: readonly Key[]
  /** Of configs that were decrypted: settings that were encrypted with the first key. */
  readonly #current = new WeakMap<Config, ReadonlySet<string>>()

  constructor(keys: readonly Buffer[] = []) {
    this.#keys = keys.map((key) => ({ id: keyId(key), key }))
  }

  get hasKey(): boolean {
    return this.#keys.length > 0
  }

  /** The config as it is written. What was read encrypted, and could not be decrypted, is written as it was. */
  encrypt(connector: string, config: Config, secretsOf: SecretsOf): Config {
    const [first] = this.#keys
    if (first === undefined) return config
    const secret = secretsOf(config)
    return Object.fromEntries(
      Object.entries(config).map(([name, value]) => [
        name,
        value !== '' && secret.has(name) && !isEncrypted(value) ? encryptValue(first, connector, name, value) : value,
      ]),
    )
  }

  /** The config as it was before; values whose key this worker does not have, or that are not this setting's, stay encrypted. */
  decrypt(connector: string, config: Config): Config {
    const [first] = this.#keys
    const names = Object.keys(config).filter((name) => isEncrypted(config[name]!))
    if (names.length === 0) return config
    const opened = names.map((name) => [name, this.#decryptValue(connector, name, config[name]!) ?? config[name]!])
    const plain: Config = { ...config, ...(Object.fromEntries(opened) as Config) }
    const current = names.filter((name) => encrypted.exec(config[name]!)?.[1] === first?.id)
    this.#current.set(plain, new Set(current))
    return plain
  }

  /**
   * Whether every secret of a config was stored encrypted with the key that encrypts now; true without a key.
   * @param config as {@link ConfigEncryption.decrypt} gave it
   */
  isCurrent(config: Config, secretsOf: SecretsOf): boolean {
    if (this.#keys.length === 0) return true
    const current = this.#current.get(config)
    return [...secretsOf(config)].every((name) => config[name] === '' || current?.has(name) === true)
  }

  #decryptValue(connector: string, name: string, value: string): string | undefined {
    const [, id, data] = encrypted.exec(value) ?? []
    const key = this.#keys.find((each) => each.id === id)
    if (key === undefined || data === undefined) return undefined
    const bytes = Buffer.from(data, 'base64')
    if (bytes.length < nonceBytes + tagBytes) return undefined
    const decipher = createDecipheriv('aes-256-gcm', key.key, bytes.subarray(0, nonceBytes))
    decipher.setAAD(place(connector, name))
    decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes))
    try {
      const text = decipher.update(bytes.subarray(nonceBytes, bytes.length - tagBytes))
      return Buffer.concat([text, decipher.final()]).toString('utf8')
    } catch {
      // Somebody else's value, or a damaged one.
      return undefined
    }
  }
}

/** How the secrets of a connector stand in the config topic. `older`: with an earlier key, or in clear. */
export type StoredSecrets = 'current' | 'older' | 'unreadable'

/** What became of the secrets of a connector that were to be encrypted anew. */
export type Reencrypted = Exclude<StoredSecrets, 'older'> | 'reencrypted'

/** Whether the value is one that could not be decrypted. */
export function isEncrypted(value: string): boolean {
  return value.startsWith(prefix)
}

/** What is wrong with values that could not be decrypted, by setting. */
export function encryptionProblems(config: Config): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(config).flatMap(([name, value]) => (isEncrypted(value) ? [[name, [problem(name, value)]]] : [])),
  )
}

/** @throws ConfigError that names every value which could not be decrypted */
export function requireDecrypted(config: Config): void {
  const problems = Object.entries(encryptionProblems(config))
  if (problems.length === 0) return
  throw new ConfigError(problems.flatMap(([, texts]) => texts).join('\n'), { setting: problems[0]![0] })
}

/**
 * Keys as settings give them: 32 bytes each, in base64 or hexadecimal.
 * @param file one a line; `#` begins a comment
 * @throws Error that names the setting, and nothing of a key
 */
export async function readEncryptionKeys(given: string | undefined, file: string | undefined): Promise<Buffer[]> {
  const keys = split(given ?? '', /,/).map((text, i) => keyOf(text, `config.storage.encryption.key: key ${i + 1}`))
  if (file === undefined) return keys
  const setting = `config.storage.encryption.key.file: ${file}`
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new Error(`${setting} cannot be read: ${(error as NodeJS.ErrnoException).code}`, { cause: error })
  })
  const lines = split(text, /\r?\n/).filter((line) => !line.startsWith('#'))
  if (lines.length === 0) throw new Error(`${setting} holds no key`)
  return [...keys, ...lines.map((line, i) => keyOf(line, `${setting}, key ${i + 1}`))]
}

function split(text: string, at: RegExp): string[] {
  return text
    .split(at)
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function keyOf(text: string, what: string): Buffer {
  const key = Buffer.from(text, /^[0-9a-fA-F]{64}$/.test(text) ? 'hex' : 'base64')
  if (key.length !== 32 || !/^[0-9A-Za-z+/]+=*$/.test(text)) {
    throw new Error(`${what} is not 32 bytes in base64 or hexadecimal; openssl rand -base64 32 makes one`)
  }
  return key
}

function encryptValue({ id, key }: Key, connector: string, name: string, value: string): string {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(place(connector, name))
  const text = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()])
  return `${prefix}${id}:${Buffer.concat([nonce, text, cipher.getAuthTag()]).toString('base64')}`
}

/** A text of its own for each place; neither part can hold what divides them. */
function place(connector: string, name: string): Buffer {
  return Buffer.from(JSON.stringify([connector, name]), 'utf8')
}

function keyId(key: Buffer): string {
  return createHash('sha256').update('tidewire config storage key').update(key).digest('hex').slice(0, 16)
}

function problem(name: string, value: string): string {
  const id = encrypted.exec(value)?.[1] ?? 'unknown'
  return `Configuration ${name} is stored encrypted with key ${id}, and this worker cannot decrypt it: give the worker that key (config.storage.encryption.key), or set ${name} anew`
}
