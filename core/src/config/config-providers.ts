/**
 * `${provider:[path:]key}` in configs: what a value is, known only where it is used. Providers are those that the worker
 * is given (`config.providers`), with Kafka's names and settings; a reference to any other is text like any other.
 */
import { join } from 'node:path'
import { literalPattern } from './literal-pattern.ts'
import type { SettingErrors } from './settings.ts'
import { readDirectoryKey, readEnvironmentKey, readPropertiesKey } from './provider-kinds.ts'

type Config = Readonly<Record<string, string>>

/** Plain data: it crosses threads. */
export interface ProviderSpec {
  readonly name: string
  readonly kind: 'env' | 'file' | 'directory'
  /** `allowed.paths` of a file or directory provider; undefined: any path. */
  readonly allowedPaths?: readonly string[]
  /** `allowlist.pattern` of an env provider: what a variable's whole name must match; undefined: any. */
  readonly allowlistPattern?: string
}

export interface ResolvedConfig {
  readonly config: Config
  /** What came from providers, and so counts as secret; by the reference that stands for it. */
  readonly values: ReadonlyMap<string, string>
  /** References that could not be resolved, by setting. They stay as they are in `config`. */
  readonly errors: SettingErrors
}

/** Kafka's pattern: neither nested, nor looked for in what is put in. */
const reference = /\$\{([^}]*?):(?:([^}]*?):)?([^}]*?)\}/g

/** Resolves references. Files are read anew with each call. */
export class ConfigProviders {
  readonly #providers: ReadonlyMap<string, ProviderSpec>
  readonly #env: Readonly<Record<string, string | undefined>>

  constructor(specs: readonly ProviderSpec[], env: Readonly<Record<string, string | undefined>> = process.env) {
    this.#providers = new Map(specs.map((spec) => [spec.name, spec]))
    this.#env = env
  }

  /** Whether any part of the value is for a provider to say. */
  hasReference(value: string): boolean {
    return this.#references(value).length > 0
  }

  /** Whether all of it is: such a value is no secret itself. */
  isReference(value: string): boolean {
    return (
      value.trim() !== '' &&
      this.#references(value)
        .reduce((rest, each) => rest.replace(each, ''), value)
        .trim() === ''
    )
  }

  /** The files that hold what references stand for, each once. */
  filesOf(config: Config): string[] {
    const files = new Set<string>()
    for (const text of Object.values(config).flatMap((value) => this.#references(value))) {
      const { kind, path, key } = this.#parsed(text)
      if (kind === 'file' && path !== '') files.add(path)
      if (kind === 'directory' && path !== '') files.add(join(path, key))
    }
    return [...files]
  }

  /** Puts in what the providers say. */
  async resolve(config: Config): Promise<ResolvedConfig> {
    const errors: SettingErrors = {}
    const values = new Map<string, string>()
    const failures = new Map<string, string>()
    const resolved: Record<string, string> = { ...config }
    for (const [name, value] of Object.entries(config)) {
      const references = this.#references(value)
      if (references.length === 0) continue
      for (const text of new Set(references)) {
        if (!values.has(text) && !failures.has(text)) await this.#look(text, values, failures)
        const failure = failures.get(text)
        if (failure !== undefined)
          (errors[name] ??= []).push(`Configuration ${name}: ${text} cannot be resolved: ${failure}`)
      }
      resolved[name] = value.replaceAll(reference, (text) => values.get(text) ?? text)
    }
    return { config: resolved, values, errors }
  }

  async #look(text: string, values: Map<string, string>, failures: Map<string, string>): Promise<void> {
    try {
      values.set(text, await this.#value(text))
    } catch (error) {
      failures.set(text, (error as Error).message)
    }
  }

  async #value(text: string): Promise<string> {
    const { kind, path, key, allowlistPattern, allowedPaths } = this.#parsed(text)
    switch (kind) {
      case 'env':
        return readEnvironmentKey(this.#env, path, key, allowlistPattern)
      case 'file':
        return readPropertiesKey(path, key, allowedPaths)
      case 'directory':
        return readDirectoryKey(path, key, allowedPaths)
    }
  }

  /** @param text one that {@link ConfigProviders.#references} gave */
  #parsed(text: string): ProviderSpec & { readonly path: string; readonly key: string } {
    const [, name = '', path = '', key = ''] = new RegExp(reference.source).exec(text)!
    return { ...this.#providers.get(name)!, path, key }
  }

  /** Those to providers that there are. */
  #references(value: string): string[] {
    if (this.#providers.size === 0 || !value.includes('${')) return []
    return [...value.matchAll(reference)].flatMap(([text, name]) => (this.#providers.has(name!) ? [text] : []))
  }
}

/**
 * Puts references back for what came of them: in a setting that held one, and wherever else the value turns up, as in a
 * URL that a connector made of its settings. Values of fewer than four characters are left: they would be found in any text.
 * @param made of a config with its references resolved
 * @param config as it was before
 */
export function withReferences(made: Config, config: Config, { config: resolved, values }: ResolvedConfig): Config {
  const references = new Map([...values].map(([text, value]) => [value.trim(), text]))
  // In one go: a reference may hold what is another's value.
  const pattern = literalPattern([...references.keys()].filter((value) => value.length >= 4))
  return Object.fromEntries(
    Object.entries(made).map(([name, value]) => {
      if (Object.hasOwn(config, name) && value === resolved[name]) return [name, config[name]!]
      return [name, pattern === undefined ? value : value.replaceAll(pattern, (found) => references.get(found)!)]
    }),
  )
}

const kinds: Readonly<Record<string, ProviderSpec['kind']>> = {
  env: 'env',
  EnvVarConfigProvider: 'env',
  file: 'file',
  FileConfigProvider: 'file',
  dir: 'directory',
  directory: 'directory',
  DirectoryConfigProvider: 'directory',
}
const kafkaPackage = 'org.apache.kafka.common.config.provider.'

/** Whether a worker's setting belongs to one of its providers. */
export function isProviderSetting(name: string): boolean {
  return name.startsWith('config.providers.')
}

/** A worker's `config.providers` and what follows below it. */
export function parseConfigProviders(raw: Config): {
  readonly providers: readonly ProviderSpec[]
  readonly errors: SettingErrors
  readonly warnings: string[]
} {
  const names = listOf(raw['config.providers'] ?? '')
  const errors: SettingErrors = {}
  const warnings: string[] = []
  const known = new Set<string>()
  const providers = names.flatMap((name): ProviderSpec[] => {
    const own = (setting: string): string => {
      const full = `config.providers.${name}.${setting}`
      known.add(full)
      return full
    }
    const given = raw[own('class')]?.trim() ?? name
    const kind = kinds[given.startsWith(kafkaPackage) ? given.slice(kafkaPackage.length) : given]
    if (kind === undefined) {
      errors[own('class')] = [
        `Invalid value ${given} for configuration ${own('class')}: expected EnvVarConfigProvider, FileConfigProvider or DirectoryConfigProvider (env, file, dir)`,
      ]
      return []
    }
    if (kind !== 'env') {
      const paths = own('param.allowed.paths')
      const allowedPaths = raw[paths] === undefined ? undefined : listOf(raw[paths])
      const wrong = allowedPaths?.find((path) => !path.startsWith('/'))
      if (wrong !== undefined)
        errors[paths] = [`Invalid value ${wrong} for configuration ${paths}: expected absolute paths`]
      return [{ name, kind, ...(allowedPaths === undefined ? {} : { allowedPaths }) }]
    }
    const pattern = own('param.allowlist.pattern')
    const allowlistPattern = raw[pattern]
    try {
      new RegExp(allowlistPattern ?? '')
    } catch (error) {
      errors[pattern] = [`Invalid value ${allowlistPattern} for configuration ${pattern}: ${(error as Error).message}`]
    }
    return [{ name, kind, ...(allowlistPattern === undefined ? {} : { allowlistPattern }) }]
  })
  for (const name of Object.keys(raw)) {
    if (isProviderSetting(name) && !known.has(name)) warnings.push(`Unknown configuration ${name} has no effect`)
  }
  return { providers, errors, warnings }
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
