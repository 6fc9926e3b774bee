/** What a plugin says about itself, as plain data: it crosses threads, and the main thread never runs plugin code. */
import type { Setting, Settings } from '@tidewire/sdk'

/** Where to find one part of a plugin (a connector, a converter, …): enough for a host thread to load it. */
export interface PluginRef {
  /** URL of the plugin's entry module, with the version stamp of its files. */
  readonly module: string
  /** Short name of the part in it. */
  readonly name: string
  readonly version: string
}

export interface PartManifest {
  readonly name: string
  readonly version: string
  readonly aliases: readonly string[]
  readonly doc: string
  readonly settings: Settings
}

export interface ConnectorManifest extends PartManifest {
  readonly type: 'source' | 'sink'
  readonly unsupported: Readonly<Record<string, string>>
  readonly exactlyOnce: boolean
  /** Whether its batches can say where transactions end. */
  readonly transactionBoundaries: boolean
  /** Whether it has a `check` across settings; without one, nothing need be asked of a host thread. */
  readonly hasCheck: boolean
  /** Whether it has a `tryOut`, for deep validations. */
  readonly hasTryOut: boolean
  readonly hasTasks: boolean
  /** Whether it takes signals. */
  readonly hasSignals: boolean
}

export interface ConverterManifest extends PartManifest {
  /** As of connectors. */
  readonly unsupported: Readonly<Record<string, string>>
}

/** Of a transform or a predicate. */
export interface TransformManifest extends PartManifest {
  /** As of connectors. */
  readonly hasCheck: boolean
}

export interface PluginManifest {
  readonly name: string
  readonly version: string
  readonly connectors: readonly ConnectorManifest[]
  readonly converters: readonly ConverterManifest[]
  readonly transforms: readonly TransformManifest[]
  readonly predicates: readonly TransformManifest[]
}

/**
 * Reads the manifest out of a plugin's entry module. Takes nothing on trust: the module may be of another SDK version,
 * or no plugin at all.
 * @throws TypeError that says what is not as it should be
 */
export function manifestOf(module: unknown): PluginManifest {
  const plugin = field(module, 'default')
  if (!isObject(plugin)) {
    throw new TypeError('its default export is not a plugin: export default definePlugin({ … })')
  }
  const name = text(plugin, 'name', 'the plugin')
  const version = text(plugin, 'version', `plugin ${name}`)
  return {
    name,
    version,
    connectors: list(plugin, 'connectors').map((part) => connectorManifest(part, version)),
    converters: list(plugin, 'converters').map((part) => {
      const manifest = partManifest(part, version)
      requireFunction(part, 'create', `converter ${manifest.name}`)
      return { ...manifest, unsupported: textMap(field(part, 'unsupported')) }
    }),
    transforms: list(plugin, 'transforms').map((part) => transformManifest('transform', part, version)),
    predicates: list(plugin, 'predicates').map((part) => transformManifest('predicate', part, version)),
  }
}

function transformManifest(kind: 'transform' | 'predicate', part: unknown, pluginVersion: string): TransformManifest {
  const manifest = partManifest(part, pluginVersion)
  const what = `${kind} ${manifest.name}`
  requireFunction(part, 'create', what)
  const taken = frameworkNames[kind].find((name) => Object.hasOwn(manifest.settings, name))
  if (taken !== undefined) throw new TypeError(`${what}: '${taken}' is a setting that all have, and not its own`)
  return { ...manifest, hasCheck: typeof field(part, 'check') === 'function' }
}

/** What the framework itself reads below an alias. */
const frameworkNames = {
  transform: ['type', 'plugin.version', 'predicate', 'negate'],
  predicate: ['type', 'plugin.version'],
} as const

function connectorManifest(part: unknown, pluginVersion: string): ConnectorManifest {
  const manifest = partManifest(part, pluginVersion)
  const what = `connector ${manifest.name}`
  const type = field(part, 'type')
  if (type !== 'source' && type !== 'sink') throw new TypeError(`${what}: made by neither defineSource nor defineSink`)
  requireFunction(part, type === 'source' ? 'read' : 'write', what)
  return {
    ...manifest,
    type,
    unsupported: textMap(field(part, 'unsupported')),
    exactlyOnce: field(part, 'exactlyOnce') === true,
    transactionBoundaries: field(part, 'transactionBoundaries') === true,
    hasCheck: typeof field(part, 'check') === 'function',
    hasTryOut: typeof field(part, 'tryOut') === 'function',
    hasTasks: typeof field(part, 'tasks') === 'function',
    hasSignals: typeof field(field(part, 'signals'), 'topic') === 'function',
  }
}

function partManifest(part: unknown, pluginVersion: string): PartManifest {
  const name = text(part, 'name', 'a part of the plugin')
  const version = field(part, 'version')
  const doc = field(part, 'doc')
  return {
    name,
    version: typeof version === 'string' ? version : pluginVersion,
    aliases: list(part, 'aliases').filter((alias) => typeof alias === 'string'),
    doc: typeof doc === 'string' ? doc : '',
    settings: settingsOf(field(part, 'config'), name),
  }
}

const settingTypes = new Set(['string', 'int', 'long', 'double', 'boolean', 'list', 'password', 'class'])

/** Copies what is data, so that a stray function in a declaration does not stop the manifest from being sent. */
function settingsOf(config: unknown, part: string): Settings {
  if (!isObject(config)) throw new TypeError(`${part}: config is not a declaration of settings`)
  return Object.fromEntries(
    Object.entries(config).map(([name, setting]) => {
      if (!isObject(setting) || !settingTypes.has(String(setting['type']))) {
        throw new TypeError(`${part}: setting ${name} has no known type`)
      }
      return [name, JSON.parse(JSON.stringify({ doc: '', ...setting })) as Setting]
    }),
  )
}

function textMap(value: unknown): Record<string, string> {
  return isObject(value)
    ? Object.fromEntries(Object.entries(value).map(([name, reason]) => [name, String(reason)]))
    : {}
}

function requireFunction(part: unknown, name: string, what: string): void {
  if (typeof field(part, name) !== 'function') throw new TypeError(`${what}: ${name} is not a function`)
}

function text(value: unknown, name: string, what: string): string {
  const found = field(value, name)
  if (typeof found !== 'string' || found === '') throw new TypeError(`${what} has no ${name}`)
  return found
}

function list(value: unknown, name: string): readonly unknown[] {
  const found = field(value, name)
  if (found === undefined) return []
  if (!Array.isArray(found)) throw new TypeError(`${name} is not an array`)
  return found
}

function field(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
