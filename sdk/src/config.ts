/** Kafka's ConfigDef types, lower-cased. `int` is 32 bits, `long` a safe integer; `password` is masked everywhere. */
export type SettingType = 'string' | 'int' | 'long' | 'double' | 'boolean' | 'list' | 'password' | 'class'

/** One setting of a connector, converter or transform: its type, its rules and its documentation in one place. */
export interface Setting {
  readonly type: SettingType
  /** What it does, with units. Shown in the README table, the validate answer and the console's form. */
  readonly doc: string
  /** Without a default and not required, the setting is undefined when left out. */
  readonly default?: string | number | boolean | readonly string[]
  readonly required?: true
  /** Kafka's importance. Default `medium`. */
  readonly importance?: 'high' | 'medium' | 'low'
  /** The only values allowed; for a list, of its items. */
  readonly enum?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  /** A regular expression (JavaScript, unanchored) that the text must match. */
  readonly pattern?: string
  /**
   * Users give it any number of times, under names that match this regular expression (JavaScript, the whole name). The
   * declared name then only shows the form, as `column.mask.with.<n>.chars`, and the value is all that were given, by
   * name. Has no default.
   */
  readonly names?: string
  /** Heading under which documentation and forms show it. */
  readonly group?: string
  readonly displayName?: string
}

/** Settings by their full names, dots included. */
export type Settings = Readonly<Record<string, Setting>>

type ValueOf<S extends { type: SettingType }> = S['type'] extends 'int' | 'long' | 'double'
  ? number
  : S['type'] extends 'boolean'
    ? boolean
    : S['type'] extends 'list'
      ? S extends { enum: readonly (infer E)[] }
        ? readonly E[]
        : readonly string[]
      : S extends { enum: readonly (infer E)[] }
        ? E
        : string

/** The parsed configuration that a declaration gives: settings with a default, and required ones, are never undefined. */
export type ConfigOf<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends { names: string }
    ? Readonly<Record<string, ValueOf<S[K]>>>
    : S[K] extends { required: true } | { default: unknown }
      ? ValueOf<S[K]>
      : ValueOf<S[K]> | undefined
}

/**
 * The declaration that a property's name stands for: its own, or that of the first with {@link Setting.names} it matches.
 * @returns with the name under which it is declared
 */
export function settingOf(settings: Settings, name: string): readonly [declared: string, setting: Setting] | undefined {
  if (Object.hasOwn(settings, name) && settings[name]!.names === undefined) return [name, settings[name]!]
  return Object.entries(settings).find(([, { names }]) => names !== undefined && wholeName(names).test(name))
}

const wholeName = (names: string): RegExp => new RegExp(`^(?:${names})$`)

/**
 * Declares settings once; from it come the validator (which takes strings too, since REST clients send strings), the
 * defaults, the TypeScript type ({@link ConfigOf}), the documentation and the masking of secrets.
 * @throws TypeError where a declaration contradicts itself
 */
export function defineConfig<const S extends Settings>(settings: S): S {
  for (const [name, setting] of Object.entries<Setting>(settings)) {
    if (setting.required === true && setting.default !== undefined) {
      throw new TypeError(`setting ${name}: required and a default exclude each other`)
    }
    if (setting.names !== undefined && (setting.required === true || setting.default !== undefined)) {
      throw new TypeError(`setting ${name}: one of many names is neither required nor has a default`)
    }
    if (setting.doc.trim() === '') throw new TypeError(`setting ${name}: doc is empty`)
  }
  return settings
}

/** What is wrong with a configuration, by setting; from a `check` across settings or a deep validation. */
export type ConfigProblems = Readonly<Record<string, string | readonly string[]>>
