/**
 * From the syntax of java.util.regex to that of JavaScript's RegExp with the flag v. Groups become named ones, `g1` and so
 * on, since the groups that stand for Java's atomic ones would change their numbers. Case-insensitive letters become
 * classes, as (?i) concerns ASCII alone in Java.
 *
 * Refused: flags u, U and d, \G, \X, \N, \b{…}, blocks (\p{InGreek}) and java… classes. Different: a backreference to a
 * group that took no part matches the empty text here and nothing in Java; a group in a repetition is empty when the last
 * round went without it, and keeps the text of an earlier one in Java; a round of a repetition beyond the required ones
 * never matches the empty text.
 */
import { ClassParser, asciiClasses, lineBreaks, literal, property } from './java-regex-classes.ts'

export interface Translation {
  /** For a RegExp with the flag v. */
  readonly source: string
  /** Of Java's numbered groups: those that are captured. */
  readonly groupCount: number
  readonly groupNames: ReadonlyMap<string, number>
  /** Whether it repeats what repeats, so that trying all ways to match may take for ever. */
  readonly canBeSlow: boolean
}

/** @throws RangeError where the pattern is wrong or cannot be translated */
export function translate(pattern: string): Translation {
  return new Translator(pattern).translate()
}

interface Flags {
  readonly i: boolean
  readonly m: boolean
  readonly s: boolean
  readonly x: boolean
}

/** Beyond this many repetitions next to each other, trying all the ways to share a text among them may take long. */
const maxQuickRepetitions = 2

const textEnd = '(?![^])'
const textBegin = '(?<![^])'
/** Before the line break that ends the text, too. */
const lastLineEnd = `(?=(?:\\r\\n|(?<!\\r(?=\\n))[${lineBreaks}])?${textEnd})`

class Translator {
  readonly #pattern: string
  readonly #chars: readonly string[]
  #at = 0
  #flags: Flags = { i: false, m: false, s: false, x: false }
  #groupCount = 0
  readonly #closedGroups = new Set<number>()
  readonly #groupNames = new Map<string, number>()
  #atomicCount = 0
  #repetitions = 0
  #nestsRepetitions = false

  constructor(pattern: string) {
    this.#pattern = pattern
    this.#chars = Array.from(pattern)
  }

  translate(): Translation {
    const source = this.#alternatives()
    if (this.#at < this.#chars.length) this.#refuse('closes a group that was not opened')
    return {
      source,
      groupCount: this.#groupCount,
      groupNames: this.#groupNames,
      canBeSlow: this.#nestsRepetitions || this.#repetitions > maxQuickRepetitions,
    }
  }

  #alternatives(): string {
    const alternatives: string[] = []
    do alternatives.push(this.#sequence())
    while (this.#take('|'))
    return alternatives.join('|')
  }

  #sequence(): string {
    let source = ''
    for (;;) {
      if (this.#flags.x) this.#skipComments()
      const char = this.#chars[this.#at]
      if (char === undefined || char === '|' || char === ')') return source
      const repetitionsBefore = this.#repetitions
      const atom = this.#atom(char)
      source += this.#quantified(atom, this.#repetitions > repetitionsBefore)
    }
  }

  #atom(char: string): string {
    switch (char) {
      case '(':
        return this.#group()
      case '[': {
        const parser = new ClassParser(this.#pattern, this.#chars, this.#at, this.#flags)
        const source = parser.parse()
        this.#at = parser.at
        return source
      }
      case '\\':
        return this.#escape()
      case '*':
      case '+':
      case '?':
        return this.#refuse(`'${char}' repeats nothing`)
      case '{':
        return this.#refuse("'{' repeats nothing; \\{ stands for itself")
    }
    this.#at++
    if (char === '.') return this.#flags.s ? '[^]' : `[^${lineBreaks}]`
    if (char === '^') {
      return this.#flags.m ? `(?:(?:${textBegin}|(?<=\\n|\\r(?!\\n)|[\\x85\\u2028\\u2029]))(?=[^]))` : textBegin
    }
    if (char === '$') {
      return this.#flags.m ? `(?=\\r|(?<!\\r)\\n|[\\x85\\u2028\\u2029]|${textEnd})` : lastLineEnd
    }
    return literal(char, this.#flags.i)
  }

  /** The atom with what says how often it stands there. */
  #quantified(atom: string, repeatsWithin: boolean): string {
    if (this.#flags.x) this.#skipComments()
    const quantifier = this.#quantifier()
    if (quantifier === undefined) return atom
    if (quantifier.isMany) {
      this.#repetitions++
      if (repeatsWithin) this.#nestsRepetitions = true
    }
    if (this.#take('?')) return `(?:${atom})${quantifier.source}?`
    if (this.#take('+')) return this.#atomic(`(?:${atom})${quantifier.source}`)
    return `(?:${atom})${quantifier.source}`
  }

  #quantifier(): { readonly source: string; readonly isMany: boolean } | undefined {
    const char = this.#chars[this.#at]
    if (char === '*' || char === '+' || char === '?') {
      this.#at++
      return { source: char, isMany: char !== '?' }
    }
    if (char !== '{') return undefined
    const rest = this.#chars.slice(this.#at, this.#at + 30).join('')
    const [source, least, comma, most] = /^\{(\d+)(?:(,)(\d+)?)?\}/.exec(rest) ?? []
    if (source === undefined) return this.#refuse("'{' begins no count; \\{ stands for itself")
    this.#at += source.length
    if (most !== undefined && Number(most) < Number(least)) this.#refuse(`${source} ends before it begins`)
    return { source, isMany: (comma !== undefined && most === undefined) || Number(most ?? least) > 10 }
  }

  /** JavaScript has no atomic groups; a lookahead does not go back into what it has matched, which comes to the same. */
  #atomic(source: string): string {
    const name = `a${++this.#atomicCount}`
    return `(?:(?=(?<${name}>${source}))\\k<${name}>)`
  }

  #group(): string {
    this.#at++
    const outer = this.#flags
    if (!this.#take('?')) return this.#captured(outer)
    const head = this.#chars.slice(this.#at, this.#at + 2).join('')
    for (const lookaround of ['=', '!', '<=', '<!']) {
      if (!head.startsWith(lookaround)) continue
      this.#at += lookaround.length
      return `(?:(?${lookaround}${this.#closed(outer)}))`
    }
    if (this.#take(':')) return `(?:${this.#closed(outer)})`
    if (this.#take('>')) return this.#atomic(this.#closed(outer))
    if (this.#take('<')) {
      const rest = this.#chars.slice(this.#at).join('')
      const name = /^([a-zA-Z][a-zA-Z0-9]*)>/.exec(rest)?.[1]
      if (name === undefined) return this.#refuse('begins a group whose name is none')
      if (this.#groupNames.has(name)) this.#refuse(`names a second group ${name}`)
      this.#at += name.length + 1
      this.#groupNames.set(name, this.#groupCount + 1)
      return this.#captured(outer)
    }
    this.#setFlags()
    if (this.#take(')')) return '(?:)'
    if (!this.#take(':')) this.#refuse('begins no group')
    return `(?:${this.#closed(outer)})`
  }

  #captured(outer: Flags): string {
    const number = ++this.#groupCount
    const source = this.#closed(outer)
    this.#closedGroups.add(number)
    return `(?<g${number}>${source})`
  }

  /** What a group holds, up to its end, where the flags of before count again. */
  #closed(outer: Flags): string {
    const source = this.#alternatives()
    if (!this.#take(')')) this.#refuse('ends the expression within a group')
    this.#flags = outer
    return source
  }

  #setFlags(): void {
    let isOn = true
    for (let char = this.#chars[this.#at]; char !== ')' && char !== ':'; char = this.#chars[this.#at]) {
      if (char === '-') isOn = false
      else if (char === 'i' || char === 'm' || char === 's' || char === 'x')
        this.#flags = { ...this.#flags, [char]: isOn }
      else this.#refuse(char === undefined ? 'ends within flags' : `has the flag ${char}, which is not supported`)
      this.#at++
    }
  }

  #escape(): string {
    const char = this.#chars[this.#at + 1]
    if (char === undefined) return this.#refuse('ends with a backslash')
    if (char === 'Q') return this.#quoted()
    if (/[1-9]/.test(char)) return this.#backreference()
    if (char === 'k') {
      const rest = this.#chars.slice(this.#at + 2).join('')
      const name = /^<([a-zA-Z][a-zA-Z0-9]*)>/.exec(rest)?.[1]
      const number = name === undefined ? undefined : this.#groupNames.get(name)
      if (name === undefined || number === undefined) return this.#refuse('refers to a group that is not there')
      this.#at += name.length + 4
      return this.#reference(number)
    }
    const anchor = { A: textBegin, z: textEnd, Z: lastLineEnd, b: '\\b', B: '\\B' }[char]
    if (anchor !== undefined && !(char === 'b' && this.#chars[this.#at + 2] === '{')) {
      this.#at += 2
      return anchor
    }
    if (char === 'R') {
      this.#at += 2
      return `(?:\\r\\n|[\\n\\v\\f\\r\\x85\\u2028\\u2029])`
    }
    if (char in asciiClasses) {
      this.#at += 2
      return asciiClasses[char]!
    }
    const parser = new ClassParser(this.#pattern, this.#chars, this.#at, this.#flags)
    const source = char === 'p' || char === 'P' ? property(parser) : literal(parser.escapedChar(), this.#flags.i)
    this.#at = parser.at
    return source
  }

  #backreference(): string {
    let end = this.#at + 2
    const numberTo = (to: number): number => Number(this.#chars.slice(this.#at + 1, to).join(''))
    while (/\d/.test(this.#chars[end] ?? '') && numberTo(end + 1) <= this.#groupCount) end++
    const number = numberTo(end)
    if (number > this.#groupCount) return this.#refuse(`refers to group ${number}, which is not there`)
    this.#at = end
    return this.#reference(number)
  }

  #reference(number: number): string {
    if (this.#flags.i) this.#refuse('refers to a group with the flag i, which is not supported')
    if (!this.#closedGroups.has(number)) this.#refuse('refers to the group that it is in')
    return `\\k<g${number}>`
  }

  /** One character of the text in quotes: what repeats after it repeats its last character only, as in Java. */
  #quoted(): string {
    const rest = this.#chars.slice(this.#at + 2).join('')
    const end = rest.indexOf('\\E')
    const text = Array.from(end === -1 ? rest : rest.slice(0, end))
    this.#at += 2 + text.length + (end === -1 ? 0 : 2)
    const last = text.pop()
    if (last === undefined) return '(?:)'
    const head = text.map((char) => literal(char, this.#flags.i)).join('')
    return head + this.#quantified(literal(last, this.#flags.i), false)
  }

  #skipComments(): void {
    for (;;) {
      const char = this.#chars[this.#at]
      if (char === '#') while (this.#at < this.#chars.length && this.#chars[this.#at] !== '\n') this.#at++
      else if (char !== undefined && /[ \t\n\v\f\r]/.test(char)) this.#at++
      else return
    }
  }

  #take(char: string): boolean {
    if (this.#chars[this.#at] !== char) return false
    this.#at++
    return true
  }

  #refuse(why: string): never {
    throw new RangeError(`regular expression ${this.#pattern}: what stands at ${this.#at} ${why}`)
  }
}
