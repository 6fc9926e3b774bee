/**
 * Names of subjects with the context that they are in: `:.ctx:subject`. Without one, a subject is in the default context
 * (`.`). Contexts are separate worlds of ids and schemas.
 */

export const defaultContext = '.'
/** Only configs and modes are kept there: they hold for all contexts. */
export const globalContext = '.__GLOBAL'
/** Before a name or a prefix: in every context. */
export const everyContext = ':*:'

export interface QualifiedSubject {
  /** Begins with a dot. */
  readonly context: string
  /** Empty: the context as a whole. */
  readonly subject: string
}

export function parseSubject(name: string): QualifiedSubject {
  if (name.startsWith(':.')) {
    const end = name.indexOf(':', 2)
    if (end < 0) return { context: name.slice(1), subject: '' }
    return { context: name.slice(1, end), subject: name.slice(end + 1) }
  }
  if (name.startsWith(everyContext)) return { context: '*', subject: name.slice(everyContext.length) }
  return { context: defaultContext, subject: name }
}

/** As subjects are named everywhere: subjects of the default context have no prefix. */
export function formatSubject({ context, subject }: QualifiedSubject): string {
  return contextPrefix(context) + subject
}

export function contextPrefix(context: string): string {
  return context === defaultContext ? '' : `:${context}:`
}

export function normalizeSubject(name: string): string {
  return formatSubject(parseSubject(name))
}

export function contextOf(name: string): string {
  return parseSubject(name).context
}

/** The name in the context of the one who refers to it, unless it names a context itself. */
export function resolveSubject(name: string, parent: string): string {
  const own = parseSubject(name)
  if (own.context !== defaultContext) return formatSubject(own)
  return formatSubject({ context: contextOf(parent), subject: name })
}

/** Whether it stands for a context as a whole (also the default one). */
export function isContextName(name: string): boolean {
  return parseSubject(name).subject === ''
}

export function isDefaultContextName(name: string): boolean {
  const { context, subject } = parseSubject(name)
  return context === defaultContext && subject === ''
}

export function isGlobalContextName(name: string): boolean {
  const { context, subject } = parseSubject(name)
  return context === globalContext && subject === ''
}

// What Java calls ISO control characters: they would also be written in another way into the keys of records.
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/
/** Longer ones would make keys that no log takes, and lists that nobody can read. */
const MAX_SUBJECT_LENGTH = 10_000

export function isValidSubject(
  name: string,
  options: { ofConfigOrMode?: boolean; mayBeEmpty?: boolean } = {},
): boolean {
  const { ofConfigOrMode = false, mayBeEmpty = true } = options
  if (controlCharacter.test(name) || name.length > MAX_SUBJECT_LENGTH) return false
  const { context, subject } = parseSubject(name)
  if (subject === '__GLOBAL' || subject === '__EMPTY') return false
  if (!mayBeEmpty && (subject === '' || subject === '*')) return false
  return ofConfigOrMode || context !== globalContext
}

/**
 * The prefix of subjects in a context that a URL names: `.ctx`, `ctx`, `:.ctx:`. Empty for the default context.
 * @throws TypeError where it is no context
 */
export function prefixOfContext(name: string): string {
  const bare = name.replace(/^:/, '').replace(/:$/, '')
  if (bare.includes(':')) throw new TypeError(`Context name '${bare}' cannot contain a colon`)
  return contextPrefix(bare.startsWith('.') ? bare : `.${bare}`)
}
