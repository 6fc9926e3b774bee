import { readdirSync, existsSync } from 'node:fs'
import { basename } from 'node:path'
import { NotFoundError } from '@tidewire/sdk'
import { nearestName } from '../config/nearest-name.ts'
import { compileSettings } from '../config/settings.ts'
import type { Logger } from '../logging/logger.ts'
import type {
  ConnectorManifest,
  ConverterManifest,
  PartManifest,
  PluginManifest,
  PluginRef,
  TransformManifest,
} from './manifest.ts'
import { findPlugins, type PluginLocation } from './plugin-path.ts'
import { scanModules, type ScanResult } from './scan.ts'
import { compareVersions, parseVersionRange } from './version-range.ts'

/** A part of a plugin that can be used, as its manifest declares it. */
interface Part<M extends PartManifest> {
  readonly manifest: M
  readonly ref: PluginRef
  /** The name that Kafka Connect's tools see: the full class that it stands in for, or else its short name. */
  readonly className: string
}

export type ConnectorPlugin = Part<ConnectorManifest>
export type ConverterPlugin = Part<ConverterManifest>
/** A transform or a predicate. */
export type TransformPlugin = Part<TransformManifest>

/** A place where a plugin should be and is not, or one that must not be used. */
interface BrokenPlugin {
  readonly path: string
  readonly name: string
  readonly reason: string
}

export interface PluginList {
  readonly connectors: readonly ConnectorPlugin[]
  readonly converters: readonly ConverterPlugin[]
  readonly transforms: readonly TransformPlugin[]
  readonly predicates: readonly TransformPlugin[]
  readonly broken: readonly BrokenPlugin[]
}

export interface PluginRegistryOptions {
  /** `plugin.path`. */
  readonly paths: readonly string[]
  readonly logger: Logger
  /** Longest time that a plugin's module may take to load. Default 10 000, and 120 000 for all built-ins together. */
  readonly scanTimeoutMs?: number
  /** Entry modules of the plugins that are part of the product. Default: all of connectors/, and those in core. */
  readonly builtIns?: readonly string[]
}

const moduleTimeoutMs = 10_000
/** They do not hang; where a slow machine took longer for them, there would be no converter until the worker is started again. */
const builtInsTimeoutMs = 120_000

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

  /** As {@link connector}, for `transforms.<alias>.type`. */
  async transform(name: string, version?: string): Promise<TransformPlugin> {
    return this.#find(name, version, 'transform')
  }

  /** As {@link connector}, for `predicates.<alias>.type`. */
  async predicate(name: string, version?: string): Promise<TransformPlugin> {
    return this.#find(name, version, 'predicate')
  }

  /** The connector as last seen, with no look at the disk; undefined where it is not known. */
  knownConnector(name: string, version?: string): ConnectorPlugin | undefined {
    return this.#known(name, version, 'connector')
  }

  /** As {@link knownConnector}. */
  knownTransform(name: string, version?: string): TransformPlugin | undefined {
    return this.#known(name, version, 'transform')
  }

  /** As {@link knownConnector}. */
  knownPredicate(name: string, version?: string): TransformPlugin | undefined {
    return this.#known(name, version, 'predicate')
  }

  #known<K extends PartKind>(name: string, version: string | undefined, kind: K): PluginOf[K] | undefined {
    const versions: readonly PluginOf[K][] | undefined = this.#index.byName[kind].get(name)
    try {
      const isWithin = parseVersionRange(version ?? 'latest')
      return versions?.find(({ manifest }) => isWithin(manifest.version)) ?? versions?.[0]
    } catch {
      return versions?.[0]
    }
  }

  async #find<K extends PartKind>(name: string, version: string | undefined, kind: K): Promise<PluginOf[K]> {
    const isWithin = parseVersionRange(version ?? 'latest')
    await this.#refresh()
    for (;;) {
      const versions: readonly PluginOf[K][] | undefined = this.#index.byName[kind].get(name)
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

  #notFound(name: string, kind: PartKind): NotFoundError {
    const { byName, broken: unusable, [`${kind}s` as const]: parts } = this.#index
    const nearest = nearestName(name, byName[kind].keys())
    const names = parts.map(({ manifest }) => manifest.name)
    const broken = unusable.map((plugin) => `${plugin.path} (${plugin.reason})`)
    return new NotFoundError(
      [
        `Failed to find any ${kind} plugin with name ${name}`,
        nearest === undefined ? '.' : `: did you mean ${nearest}?`,
        ` Available: ${names.join(', ') || 'none'}.`,
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
    const results = scanModules(modules, this.#options.scanTimeoutMs ?? builtInsTimeoutMs)
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
    return this.#options.scanTimeoutMs ?? moduleTimeoutMs
  }
}

interface PluginOf {
  connector: ConnectorPlugin
  converter: ConverterPlugin
  transform: TransformPlugin
  predicate: TransformPlugin
}

type PartKind = keyof PluginOf

interface PluginIndex extends PluginList {
  /** All versions, the newest first. */
  readonly byName: { readonly [K in PartKind]: ReadonlyMap<string, readonly PluginOf[K][]> }
}

const emptyIndex: PluginIndex = buildIndex([])

function buildIndex(scanned: readonly Scanned[]): PluginIndex {
  const broken: BrokenPlugin[] = []
  const good: { readonly location: PluginLocation; readonly manifest: PluginManifest }[] = []
  for (const { location, settled } of scanned) {
    if (settled === undefined) continue
    if ('reason' in settled) broken.push({ path: location.path, name: nameOf(location.path), reason: settled.reason })
    else good.push({ location, manifest: settled.manifest })
  }
  const partsOf = <M extends PartManifest>(of: (manifest: PluginManifest) => readonly M[]): Part<M>[] => {
    const parts: Part<M>[] = []
    for (const { location, manifest } of good) {
      for (const part of of(manifest)) {
        const { name, version, aliases } = part
        const isSame = (other: Part<M>): boolean =>
          other.manifest.name === name && compareVersions(other.manifest.version, version) === 0
        if (parts.some(isSame)) {
          const reason = `another plugin already gives a '${name}' of version ${version}`
          broken.push({ path: location.path, name, reason })
          continue
        }
        const className = aliases.find((alias) => alias.includes('.')) ?? name
        parts.push({ manifest: part, ref: { module: location.module!, name, version }, className })
      }
    }
    return parts
  }
  const connectors = partsOf(({ connectors }) => connectors)
  const converters = partsOf(({ converters }) => converters)
  const transforms = partsOf(({ transforms }) => transforms)
  const predicates = partsOf(({ predicates }) => predicates)
  return {
    connectors,
    converters,
    transforms,
    predicates,
    broken,
    byName: {
      connector: byName(connectors, 'Connector'),
      converter: byName(converters, 'Converter'),
      transform: byName(transforms, 'Transformation'),
      predicate: byName(predicates, 'Predicate'),
    },
  }
}

/** The most exact kind of name wins over the less exact; among equals, the plugin found first, with all its versions. */
function byName<P extends Part<PartManifest>>(parts: readonly P[], suffix: string): Map<string, P[]> {
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
  const { connectors, converters, transforms, predicates } = result.manifest
  for (const part of [...connectors, ...converters, ...transforms, ...predicates]) {
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

/** Entry modules of the connectors beside core, and of the converters and transforms within it. */
function builtInModules(): string[] {
  const connectors = new URL('../../../connectors/', import.meta.url)
  const entries = existsSync(connectors)
    ? readdirSync(connectors, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => new URL(`${entry.name}/index.ts`, connectors))
    : []
  const inCore = ['../convert/plugin.ts', '../transform/plugin.ts'].map((path) => new URL(path, import.meta.url))
  return [...entries, ...inCore].filter((url) => existsSync(url)).map((url) => url.href)
}
