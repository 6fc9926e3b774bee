/**
 * The transforms and predicates that a connector's config names, with Kafka Connect's settings for them: `transforms`,
 * `transforms.<alias>.type`, `predicates.<alias>.type` and what stands below each alias.
 */
import type { Setting, Settings } from '@tidewire/sdk'

type Config = Readonly<Record<string, string>>

export type ChainKind = 'transforms' | 'predicates'

/** What a config says of one alias. */
export interface ChainPart {
  readonly kind: ChainKind
  readonly alias: string
  /** `transforms.<alias>.` */
  readonly prefix: string
  readonly type: string | undefined
  /** `plugin.version` (KIP-891). */
  readonly version: string | undefined
  /** Of a transform: the alias of the predicate that says when it applies. */
  readonly predicate: string | undefined
  /** Of a transform: it applies where the predicate does not. */
  readonly negate: boolean
  /** Its own settings, without the prefix. */
  readonly config: Config
}

/** Names that stand below an alias: what they mean depends on the config itself. */
export function isChainSetting(name: string): boolean {
  return name.startsWith('transforms.') || name.startsWith('predicates.')
}

/** What says which plugins a chain is made of. */
export function isChainPlugin(name: string): boolean {
  return /^(transforms|predicates)(\..+\.(type|plugin\.version))?$/s.test(name)
}

/** The aliases of a kind, in order, as they are given. */
export function chainAliases(config: Config, kind: ChainKind): string[] {
  const text = config[kind]?.trim() ?? ''
  return text === '' ? [] : text.split(',').map((alias) => alias.trim())
}

/** The parts of a chain, in order, each alias once. */
export function chainParts(config: Config, kind: ChainKind): ChainPart[] {
  const aliases = [...new Set(chainAliases(config, kind))].filter((alias) => alias !== '')
  const below = new Map<string, Record<string, string>>()
  for (const [name, value] of Object.entries(config)) {
    const alias = aliasOf(name, kind, aliases)
    if (alias === undefined) continue
    const own = below.get(alias) ?? {}
    own[name.slice(prefixOf(kind, alias).length)] = value
    below.set(alias, own)
  }
  return aliases.map((alias) => {
    const { type, 'plugin.version': version, ...rest } = below.get(alias) ?? {}
    const common = { kind, alias, prefix: prefixOf(kind, alias), type: type?.trim(), version: version?.trim() }
    if (kind === 'predicates') return { ...common, predicate: undefined, negate: false, config: rest }
    const { predicate, negate, ...own } = rest
    const given = predicate?.trim()
    return {
      ...common,
      predicate: given === '' ? undefined : given,
      negate: negate?.trim().toLowerCase() === 'true',
      config: own,
    }
  })
}

/** The alias that a setting stands below: an alias may itself begin as another one does. */
export function aliasOf(name: string, kind: ChainKind, aliases: readonly string[]): string | undefined {
  let longest: string | undefined
  if (!name.startsWith(`${kind}.`)) return longest
  for (const alias of aliases) {
    const isLonger = longest === undefined || alias.length > longest.length
    if (isLonger && name.startsWith(prefixOf(kind, alias))) longest = alias
  }
  return longest
}

/** What every transform or predicate has, by full name, and what it has of its own; in Kafka Connect's order. */
export function chainPartSettings({ kind, alias, prefix }: ChainPart, own: Settings = {}): Settings {
  const group = kind === 'transforms' ? `Transforms: ${alias}` : `Predicates: ${alias}`
  const what = kind === 'transforms' ? 'transformation' : 'predicate'
  const common: Settings = {
    type: {
      type: 'class',
      required: true,
      importance: 'high',
      displayName: `${kind === 'transforms' ? 'Transformation' : 'Predicate'} type for ${alias}`,
      doc: `The ${what} '${alias}': its short name, or the class name that it has in Kafka Connect.`,
    },
    'plugin.version': {
      type: 'string',
      default: 'latest',
      importance: 'high',
      displayName: `${kind === 'transforms' ? 'Transformation' : 'Predicate'} version for ${alias}`,
      doc: `Which version of the ${what}, as connector.plugin.version.`,
    },
  }
  const others = Object.entries({ ...(kind === 'transforms' ? conditions : {}), ...own })
  return Object.fromEntries(
    [...Object.entries(common), ...others.sort(asKafkaSorts)].map(([name, setting]): [string, Setting] => [
      prefix + name,
      { ...setting, displayName: setting.displayName ?? name, group },
    ]),
  )
}

const importances = ['high', 'medium', 'low']

/** What has to be given first, then by importance, then by name. */
function asKafkaSorts([a, one]: [string, Setting], [b, other]: [string, Setting]): number {
  const rank = ({ importance = 'medium' }: Setting): number => importances.indexOf(importance)
  const required = Number(other.required === true) - Number(one.required === true)
  return required || rank(one) - rank(other) || (a < b ? -1 : 1)
}

const conditions: Settings = {
  predicate: {
    type: 'string',
    doc: 'The alias of the predicate that tells to which records it applies. Left out: to all.',
  },
  negate: {
    type: 'boolean',
    default: false,
    doc: 'Whether it applies to the records that the predicate does not hold for.',
  },
}

function prefixOf(kind: ChainKind, alias: string): string {
  return `${kind}.${alias}.`
}
