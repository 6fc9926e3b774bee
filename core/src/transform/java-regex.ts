/**
 * Regular expressions of java.util.regex, as configs written for Kafka Connect have them. What stands for the same here
 * is translated (java-regex-translation.ts); what cannot be is refused when it is compiled, with its place.
 */
import { createContext, Script } from 'node:vm'
import { DataError } from '@tidewire/sdk'
import { translate, type Translation } from './java-regex-translation.ts'

/** How long one match may take where the expression is of a kind that can take for ever. */
const matchTimeoutMs = 500

/** A java.util.regex.Pattern. */
export class JavaRegex {
  readonly pattern: string
  readonly #translation: Translation
  readonly #whole: RegExp
  readonly #anywhere: RegExp

  /** @throws RangeError where it is none, or cannot be translated */
  constructor(pattern: string) {
    this.pattern = pattern
    this.#translation = translate(pattern)
    try {
      this.#anywhere = new RegExp(this.#translation.source, 'v')
      this.#whole = new RegExp(`^(?:${this.#translation.source})$`, 'v')
    } catch (cause) {
      throw new RangeError(`regular expression ${pattern}: ${(cause as Error).message}`, { cause })
    }
  }

  /**
   * Whether the text as a whole matches (Matcher.matches).
   * @throws DataError where that takes too long to find out
   */
  matches(text: string): boolean {
    return this.#run(this.#whole, text) !== null
  }

  /**
   * Whether it matches anywhere in the text (Matcher.find).
   * @throws DataError where that takes too long to find out
   */
  isFoundIn(text: string): boolean {
    return this.#run(this.#anywhere, text) !== null
  }

  /**
   * The text with the first match in it replaced (Matcher.replaceFirst).
   * @throws DataError where that takes too long to find out
   */
  replaceFirst(text: string, replacement: JavaReplacement): string {
    const match = this.#run(this.#anywhere, text)
    if (match === null) return text
    return text.slice(0, match.index) + replacement.of(match) + text.slice(match.index + match[0].length)
  }

  /**
   * Reads a replacement: `$1`, `${name}`, and `\` before what stands for itself.
   * @throws RangeError where it is none, or names a group that the expression does not have
   */
  replacement(text: string): JavaReplacement {
    return new JavaReplacement(text, this.#translation)
  }

  #run(regExp: RegExp, text: string): RegExpExecArray | null {
    return this.#translation.canBeSlow ? execWithin(regExp, text) : regExp.exec(text)
  }
}

/** A text, or a group by the name that the translation gave it; undefined stands for the whole match. */
type ReplacementPart = { readonly text: string } | { readonly group: string | undefined }

/** The replacement of a {@link JavaRegex}. */
export class JavaReplacement {
  readonly #parts: readonly ReplacementPart[]

  constructor(replacement: string, translation: Translation) {
    this.#parts = parseReplacement(replacement, translation)
  }

  of(match: RegExpExecArray): string {
    let made = ''
    for (const part of this.#parts) {
      if ('text' in part) made += part.text
      else made += part.group === undefined ? match[0] : (match.groups?.[part.group] ?? '')
    }
    return made
  }
}

function parseReplacement(replacement: string, { groupCount, groupNames }: Translation): ReplacementPart[] {
  const parts: ReplacementPart[] = []
  const refuse = (why: string): RangeError => new RangeError(`replacement ${replacement}: ${why}`)
  const addGroup = (number: number): void => {
    if (number > groupCount) throw refuse(`the expression has ${groupCount} groups, not ${number}`)
    parts.push({ group: number === 0 ? undefined : `g${number}` })
  }
  for (let at = 0; at < replacement.length;) {
    const char = replacement[at]!
    if (char === '\\') {
      if (at + 1 === replacement.length) throw refuse('nothing follows the last backslash')
      parts.push({ text: replacement[at + 1]! })
      at += 2
    } else if (char !== '$') {
      parts.push({ text: char })
      at++
    } else if (replacement[at + 1] === '{') {
      const name = /^\$\{([a-zA-Z][a-zA-Z0-9]*)\}/.exec(replacement.slice(at))?.[1]
      if (name === undefined) throw refuse(`what follows $ at ${at} is no {name}`)
      const number = groupNames.get(name)
      if (number === undefined) throw refuse(`the expression has no group ${name}`)
      addGroup(number)
      at += name.length + 3
    } else {
      if (!/\d/.test(replacement[at + 1] ?? '')) {
        throw refuse(`$ at ${at} is followed by no group; \\$ stands for itself`)
      }
      // As many digits as there are groups for: of one group, $12 is the group and a 2.
      let end = at + 2
      while (/\d/.test(replacement[end] ?? '') && Number(replacement.slice(at + 1, end + 1)) <= groupCount) end++
      addGroup(Number(replacement.slice(at + 1, end)))
      at = end
    }
  }
  return parts
}

interface Watched {
  regExp?: RegExp
  text?: string
}

let watched: Watched | undefined
const exec = new Script('regExp.exec(text)')

/** Matches under a time limit, which the vm module can set and nothing else; that costs a third of a millisecond. */
function execWithin(regExp: RegExp, text: string): RegExpExecArray | null {
  watched ??= createContext({}) as Watched
  watched.regExp = regExp
  watched.text = text
  try {
    return exec.runInContext(watched, { timeout: matchTimeoutMs }) as RegExpExecArray | null
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw cause
    throw new DataError(`a regular expression took longer than ${matchTimeoutMs} ms on one text: make it simpler`, {
      cause,
    })
  }
}
