import { readdirSync, existsSync } from 'node:fs'
import { basename } from 'node:path'
import { NotFoundError } from '@tidewire/sdk'
import { nearestName } from '../config/nearest-name.ts'
import { compileSettings } from '../config/settings.ts'
import type { Logger } from '../logging/logger.ts'
import type { ConnectorManifest, ConverterManifest, PluginRef } from './manifest.ts'
import { findPlugins, type PluginLocation } from './plugin-path.ts'
import { scanModules, type ScanResult } from './scan.ts'
import { compareVersions, parseVersionRange } from './version-range.ts'

/** A connector or converter that can be used, as its manifest declares it. */
interface Part<M extends ConnectorManifest | ConverterManifest> {
  readonly manifest: M
  readonly ref: PluginRef
  /** The name that Kafka Connect's tools see: the full class that it stands in for, or else its short name. */
  readonly className: string
}

export type ConnectorPlugin = Part<ConnectorManifest>
export type ConverterPlugin = Part<ConverterManifest>

/** A place where a plugin should be and is not, or one that must not be used. */
interface BrokenPlugin {
  readonly path: string
  readonly name: string
  readonly reason: string
}

export interface PluginList {
  readonly connectors: readonly ConnectorPlugin[]
  readonly converters: readonly ConverterPlugin[]
  readonly broken: readonly BrokenPlugin[]
}

export interface PluginRegistryOptions {
  /** `plugin.path`. */
  readonly paths: readonly string[]
  readonly logger: Logger
  /** Longest time that a plugin's module may take to load. Default 10 000. */
  readonly scanTimeoutMs?: number
  /** Entry modules of the plugins that are part of the product. Default: all of connectors/, and the converters. */
  readonly builtIns?: readonly string[]
}

/** How long a plugin that was too slow to load is left alone before it is tried again. */
const retryTimedOutMs = 60_000

interface Scanned {
  readonly location: PluginLocation
  /** Resolves when the module has been read; never rejects. */
  readonly result: Promise<void>
  settled: ScanResult | undefined
  settledAt: number
}

/**
 * Knows every plugin there is. Plugins come, change and go while the worker runs: their files are looked at again on
 * each question, and what is new or changed is read again, in a thread of its own with a time limit.
 */
export class PluginRegistry {
  readonly #options: PluginRegistryOptions
  /** By path; built-ins by module. */
  readonly #scanned = new Map<string, Scanned>()
  #builtInsScanned = false
  #refreshing: Promise<void> | undefined
  #index: PluginIndex = emptyIndex

  constructor(options: PluginRegistryOptions) {
    this.#options = options
  }

  /** All plugins, broken ones with the reason. Waits for what is still being read. */
  async list(): Promise<PluginList> {
    await this.#refresh()
    await Promise.all(this.#pending())
    return this.#index
  }

  /**
   * The connector that `connector.class` names: by short name, class name, simple class name, or that without the
   * Connector suffix. As it is on disk now.
   * @param version a range, as `connector.plugin.version` has it; the newest version within it is taken
   * @throws NotFoundError that names the reason, where a broken plugin may be the one meant
   * @throws ConfigError where the range is none
   */
  async connector(name: string, version?: string): Promise<ConnectorPlugin> {
    return this.#find(name, version, 'connector')
  }

  /** As {@link connector}, for the `*.converter` settings. */
  async converter(name: string, version?: string): Promise<ConverterPlugin> {
    return this.#find(name, version, 'converter')
  }

  /** The connector as last seen, with no look at the disk; undefined where it is not known. */
  knownConnector(name: string, version?: string): ConnectorPlugin | undefined {
    const versions = this.#index.connectorsByName.get(name)
    try {
      const isWithin = parseVersionRange(version ?? 'latest')
      return versions?.find(({ manifest }) => isWithin(manifest.version)) ?? versions?.[0]
    } catch {
      return versions?.[0]
    }
  }

  async #find<K extends 'connector' | 'converter'>(
    name: string,
    version: string | undefined,
    kind: K,
  ): Promise<PluginOf[K]>
  async #find(
    name: string,
    version: string | undefined,
    kind: 'connector' | 'converter',
  ): Promise<ConnectorPlugin | ConverterPlugin> {
    const isWithin = parseVersionRange(version ?? 'latest')
    await this.#refresh()
    for (;;) {
      const versions: readonly (ConnectorPlugin | ConverterPlugin)[] | undefined =
        kind === 'connector' ? this.#index.connectorsByName.get(name) : this.#index.convertersByName.get(name)
      const found = versions?.find(({ manifest }) => isWithin(manifest.version))
      if (found !== undefined) return found
      // Only what is not known is waited for, and not behind a plugin that hangs.
      const pending = this.#pending()
      if (pending.length === 0) {
        if (versions === undefined) throw this.#notFound(name, kind)
        const known = versions.map(({ manifest }) => manifest.version).join(', ')
        throw new NotFoundError(`No version of ${kind} plugin ${name} is within ${version}. Available: ${known}`)
      }
      await Promise.race(pending)
    }
  }

  #notFound(name: string, kind: 'connector' | 'converter'): NotFoundError {
    const index = this.#index
    const known = kind === 'connector' ? index.connectorsByName : index.convertersByName
    const nearest = nearestName(name, known.keys())
    const names = (kind === 'connector' ? index.connectors : index.converters).map(({ manifest }) => manifest.name)
    const broken = index.broken.map((plugin) => `${plugin.path} (${plugin.reason})`)
    return new NotFoundError(
      [
        `Failed to find any ${kind} plugin with name ${name}`,
        nearest === undefined ? '' : `: did you mean ${nearest}?`,
        `. Available: ${names.join(', ') || 'none'}.`,
        broken.length === 0 ? '' : ` Plugins that could not be loaded: ${broken.join('; ')}.`,
      ].join(''),
    )
  }

  /** Compares the files with what was read, and starts to read what is new or changed. */
  async #refresh(): Promise<void> {
    // One look serves all who ask meanwhile, but only those: files may have changed since it began.
    const running = this.#refreshing
    if (running !== undefined) await running
    this.#refreshing ??= this.#lookAtFiles().finally(() => (this.#refreshing = undefined))
    await this.#refreshing
  }

  async #lookAtFiles(): Promise<void> {
    if (!this.#builtInsScanned) this.#scanBuiltIns()
    const found = await Promise.all(this.#options.paths.map((path) => findPlugins(path)))
    const locations = new Map(found.flat().map((location) => [location.path, location]))
    let changed = false
    for (const path of this.#scanned.keys()) {
      if (isBuiltIn(path) || locations.has(path)) continue
      this.#scanned.delete(path)
      changed = true
    }
    for (const location of locations.values()) {
      const known = this.#scanned.get(location.path)
      const same = known?.location.stamp === location.stamp && known.location.module === location.module
      if (same && !mayRetry(known)) continue
      this.#scan(location)
      changed = true
    }
    if (changed) this.#rebuildIndex()
  }

  /** The built-in plugins are read together, in one thread: they are known not to harm one another. */
  #scanBuiltIns(): void {
    this.#builtInsScanned = true
    const modules = this.#options.builtIns ?? builtInModules()
    const results = scanModules(modules, this.#scanTimeoutMs)
    for (const module of modules) {
      this.#track(
        { path: module, stamp: '', module },
        results.then((all) => all.get(module)!),
      )
    }
  }

  #scan(location: PluginLocation): void {
    const { module } = location
    if (module === undefined) {
      this.#track(location, Promise.resolve({ reason: location.reason ?? 'no entry module' }))
    } else {
      const read = scanModules([module], this.#scanTimeoutMs).then((results) =>
        withUsableSettings(results.get(module)!),
      )
      this.#track(location, read)
    }
  }

  #track(location: PluginLocation, result: Promise<ScanResult>): void {
    const scanned: Scanned = {
      location,
      settled: undefined,
      settledAt: 0,
      result: result.then((settled) => {
        scanned.settled = settled
        scanned.settledAt = Date.now()
        if (this.#scanned.get(location.path) !== scanned) return
        this.#rebuildIndex()
        if ('reason' in settled) {
          this.#options.logger.warn('plugin cannot be used', { path: location.path, reason: settled.reason })
        }
      }),
    }
    this.#scanned.set(location.path, scanned)
  }

  #pending(): Promise<void>[] {
    return [...this.#scanned.values()].flatMap(({ settled, result }) => (settled === undefined ? [result] : []))
  }

  #rebuildIndex(): void {
    this.#index = buildIndex([...this.#scanned.values()])
  }

  get #scanTimeoutMs(): number {
    return this.#options.scanTimeoutMs ?? 10_000
  }
}

interface PluginOf {
  connector: ConnectorPlugin
  converter: ConverterPlugin
}

interface PluginIndex extends PluginList {
  /** All versions, the newest first. */
  readonly connectorsByName: ReadonlyMap<string, readonly ConnectorPlugin[]>
  readonly convertersByName: ReadonlyMap<string, readonly ConverterPlugin[]>
}

const emptyIndex: PluginIndex = {
  connectors: [],
  converters: [],
  broken: [],
  connectorsByName: new Map(),
  convertersByName: new Map(),
}

function buildIndex(scanned: readonly Scanned[]): PluginIndex {
  const connectors: ConnectorPlugin[] = []
  const converters: ConverterPlugin[] = []
  const broken: BrokenPlugin[] = []
  for (const { location, settled } of scanned) {
    if (settled === undefined) continue
    const reject = (name: string, reason: string): void => void broken.push({ path: location.path, name, reason })
    if ('reason' in settled) {
      reject(nameOf(location.path), settled.reason)
      continue
    }
    const { manifest } = settled
    const add = <M extends ConnectorManifest | ConverterManifest>(parts: Part<M>[], part: M): void => {
      const taken = parts.some(
        ({ manifest }) => manifest.name === part.name && compareVersions(manifest.version, part.version) === 0,
      )
      if (taken) {
        reject(part.name, `another plugin already gives a '${part.name}' of version ${part.version}`)
        return
      }
      const ref = { module: location.module!, name: part.name, version: part.version }
      parts.push({ manifest: part, ref, className: part.aliases.find((alias) => alias.includes('.')) ?? part.name })
    }
    for (const part of manifest.connectors) add(connectors, part)
    for (const part of manifest.converters) add(converters, part)
  }
  return {
    connectors,
    converters,
    broken,
    connectorsByName: byName(connectors, 'Connector'),
    convertersByName: byName(converters, 'Converter'),
  }
}

/** The most exact kind of name wins over the less exact; among equals, the plugin found first, with all its versions. */
function byName<P extends Part<ConnectorManifest | ConverterManifest>>(
  parts: readonly P[],
  suffix: string,
): Map<string, P[]> {
  const names = new Map<string, P[]>()
  const simple = (name: string): string => name.slice(name.lastIndexOf('.') + 1)
  const withoutSuffix = (name: string): string => (name.endsWith(suffix) ? name.slice(0, -suffix.length) : name)
  const kinds: ((part: P) => readonly string[])[] = [
    ({ manifest }) => [manifest.name],
    ({ manifest }) => manifest.aliases,
    ({ manifest }) => manifest.aliases.map(simple),
    ({ manifest }) => manifest.aliases.map((alias) => withoutSuffix(simple(alias))),
  ]
  for (const kind of kinds) {
    for (const part of parts) {
      for (const name of kind(part)) {
        const known = names.get(name)
        if (known === undefined) names.set(name, [part])
        else if (known[0]!.manifest.name === part.manifest.name && !known.includes(part)) known.push(part)
      }
    }
  }
  for (const versions of names.values()) {
    versions.sort((a, b) => compareVersions(b.manifest.version, a.manifest.version))
  }
  return names
}

/** A plugin whose declared settings contradict themselves is broken, and is told so when it is read. */
function withUsableSettings(result: ScanResult): ScanResult {
  if ('reason' in result) return result
  for (const part of [...result.manifest.connectors, ...result.manifest.converters]) {
    try {
      compileSettings(part.settings)
    } catch (error) {
      return { reason: `${part.name}: ${(error as Error).message}` }
    }
  }
  return result
}

function mayRetry({ settled, settledAt }: Scanned): boolean {
  return settled !== undefined && 'timedOut' in settled && Date.now() - settledAt > retryTimedOutMs
}

function isBuiltIn(path: string): boolean {
  return path.startsWith('file:')
}

function nameOf(path: string): string {
  return isBuiltIn(path) ? (new URL(path).pathname.split('/').at(-2) ?? path) : basename(path)
}

/** Entry modules of the connectors beside core, and of the converters within it. */
function builtInModules(): string[] {
  const connectors = new URL('../../../connectors/', import.meta.url)
  const entries = existsSync(connectors)
    ? readdirSync(connectors, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => new URL(`${entry.name}/index.ts`, connectors))
    : []
  return [...entries, new URL('../convert/plugin.ts', import.meta.url)]
    .filter((url) => existsSync(url))
    .map((url) => url.href)
}
