/** Which config and which mode hold for a subject: its own, its context's, those for all. */
import { contextOf, contextPrefix, defaultContext, globalContext } from './qualified-subject.ts'
import type { CompatibilityLevel, Mode } from './request-body.ts'
import type { RegistryState } from './registry-state.ts'
import type { ConfigValue } from './schema-records.ts'

/** What holds: the level is always said. */
export type EffectiveConfig = ConfigValue & { readonly compatibilityLevel: CompatibilityLevel }

/** What a config of a subject's own takes from the one for all, where it does not say it. Not the level. */
const inheritedFields = [
  'normalize',
  'validateFields',
  'validateNewSchemas',
  'validateRules',
  'compatibilityPolicy',
  'compatibilityGroup',
] as const

export class ConfigScope {
  readonly #state: RegistryState
  readonly #default: EffectiveConfig

  /** @param level `schema.compatibility.level` */
  constructor(state: RegistryState, level: CompatibilityLevel) {
    this.#state = state
    this.#default = { compatibilityLevel: level }
  }

  /** Its own; undefined where it has none. For all (null) there always is one. */
  own(name: string | null): EffectiveConfig | undefined {
    const own = this.#state.ownConfig(name)
    if (own !== undefined) return { ...this.#default, ...own }
    return isForAll(name) ? this.#default : undefined
  }

  inScope(name: string | null): EffectiveConfig {
    const own = name === null ? undefined : this.own(name)
    if (own === undefined) return this.#inherited(name)
    const forAll = this.own(null)!
    const inherited = inheritedFields.filter((field) => forAll[field] !== undefined)
    return { ...Object.fromEntries(inherited.map((field) => [field, forAll[field]])), ...own }
  }

  ownMode(name: string | null): Mode | undefined {
    return this.#state.ownMode(name) ?? (isForAll(name) ? 'READWRITE' : undefined)
  }

  modeInScope(name: string | null): Mode {
    for (const each of scopes(name)) {
      const mode = this.#state.ownMode(each)
      if (mode !== undefined) return mode
    }
    return 'READWRITE'
  }

  #inherited(name: string | null): EffectiveConfig {
    for (const each of scopes(name)) {
      const config = this.#state.ownConfig(each)
      if (config !== undefined) return { ...this.#default, ...config }
    }
    return this.#default
  }
}

function isForAll(name: string | null): boolean {
  return name === null || contextOf(name) === globalContext
}

/** Of its own, of its context (for the default context that is what holds for all of it), of all contexts. */
function* scopes(name: string | null): Generator<string | null> {
  yield name
  const context = name === null ? defaultContext : contextOf(name)
  yield context === defaultContext ? null : contextPrefix(context)
  yield contextPrefix(globalContext)
}
