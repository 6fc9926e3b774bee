/** Reads a pattern in RE2's syntax. What RE2 leaves out (back references, looking around) is refused, as there. */

/** What a pattern is made of. Groups capture nothing here: nobody asks what they matched. */
export type Node =
  | { readonly type: 'set'; /** 1 for each ASCII code that it matches. */ readonly set: Uint8Array }
  | { readonly type: 'assert'; readonly at: 'start' | 'end' | 'boundary' | 'no boundary' }
  | { readonly type: 'sequence'; readonly parts: readonly Node[] }
  | { readonly type: 'choice'; readonly options: readonly Node[] }
  | { readonly type: 'repeat'; readonly part: Node; readonly min: number; readonly max: number }

export class InvalidRegexError extends Error {
  override readonly name = 'InvalidRegexError'
}

/** Steps that a compiled pattern may have: a name is matched in so many times its length at the most. */
const mostSteps = 1000
const mostCharacters = 10_000
/** As in RE2. */
const mostRepeats = 1000
const deepest = 200

const codes = 128
const none = (): Uint8Array => new Uint8Array(codes)
const some = (test: (code: number) => boolean): Uint8Array => none().map((_, code) => (test(code) ? 1 : 0))
const inverse = (set: Uint8Array): Uint8Array => set.map((has) => 1 - has)
const ofRegExp = (pattern: RegExp): Uint8Array => some((code) => pattern.test(String.fromCharCode(code)))

const perlClasses: Readonly<Record<string, Uint8Array>> = {
  d: ofRegExp(/[0-9]/),
  w: ofRegExp(/[0-9A-Za-z_]/),
  s: ofRegExp(/[\t\n\f\r ]/),
}

const posixClasses: Readonly<Record<string, Uint8Array>> = {
  alnum: ofRegExp(/[0-9A-Za-z]/),
  alpha: ofRegExp(/[A-Za-z]/),
  ascii: some(() => true),
  blank: ofRegExp(/[\t ]/),
  cntrl: some((code) => code < 32 || code === 127),
  digit: ofRegExp(/[0-9]/),
  graph: some((code) => code > 32 && code < 127),
  lower: ofRegExp(/[a-z]/),
  print: some((code) => code >= 32 && code < 127),
  punct: ofRegExp(/[!-/:-@[-`{-~]/),
  space: ofRegExp(/[\t\n\v\f\r ]/),
  upper: ofRegExp(/[A-Z]/),
  word: ofRegExp(/[0-9A-Za-z_]/),
  xdigit: ofRegExp(/[0-9A-Fa-f]/),
}

const controlEscapes: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 }

/** @throws InvalidRegexError */
export function parseRegex(source: string): Node {
  if (source.length > mostCharacters) throw new InvalidRegexError(`it is longer than ${mostCharacters} characters`)
  const parser = new Parser(source)
  const node = parser.choice(0)
  parser.expectEnd()
  return node
}

class Parser {
  readonly #source: string
  #at = 0
  #ignoresCase = false
  /** Between \Q and \E. */
  #isQuoting = false

  constructor(source: string) {
    this.#source = source
  }

  expectEnd(): void {
    if (this.#at < this.#source.length) this.#fail('unexpected )')
  }

  choice(depth: number): Node {
    if (depth > deepest) this.#fail('groups are nested too deeply')
    const options = [this.#sequence(depth)]
    while (!this.#isQuoting && this.#skip('|')) options.push(this.#sequence(depth))
    return options.length === 1 ? options[0]! : { type: 'choice', options }
  }

  #sequence(depth: number): Node {
    const parts: Node[] = []
    let steps = 0
    for (;;) {
      if (this.#isQuoting ? this.#skip('\\E') : this.#skip('\\Q')) {
        this.#isQuoting = !this.#isQuoting
        continue
      }
      if (this.#at >= this.#source.length) break
      if (this.#isQuoting) parts.push(this.#literal(this.#next()))
      else if (this.#peek('|') || this.#peek(')')) break
      else parts.push(this.#repeated(depth))
      steps += sizeOf(parts.at(-1)!)
      if (steps > mostSteps) this.#fail('it is too large')
    }
    return parts.length === 1 ? parts[0]! : { type: 'sequence', parts }
  }

  #repeated(depth: number): Node {
    const part = this.#atom(depth)
    const times = this.#times()
    if (times === null) return part
    // A second mark makes it match as little as it can; for a whole name that is all the same.
    this.#skip('?')
    if (this.#peek('*') || this.#peek('+') || this.#peek('?') || this.#hasCount())
      this.#fail('a repetition is repeated')
    const repeat: Node = { type: 'repeat', part, ...times }
    if (sizeOf(repeat) > mostSteps) this.#fail('it is too large')
    return repeat
  }

  #hasCount(): boolean {
    return /^\{\d+(,\d*)?\}/.test(this.#source.slice(this.#at, this.#at + 20))
  }

  #times(): { min: number; max: number } | null {
    if (this.#skip('*')) return { min: 0, max: Infinity }
    if (this.#skip('+')) return { min: 1, max: Infinity }
    if (this.#skip('?')) return { min: 0, max: 1 }
    // A brace that is no count stands for itself.
    const count = /^\{(\d+)(,?)(\d*)\}/.exec(this.#source.slice(this.#at, this.#at + 20))
    if (count === null || (count[2] === '' && count[3] !== '')) return null
    this.#at += count[0].length
    const min = Number(count[1])
    const max = count[2] === '' ? min : count[3] === '' ? Infinity : Number(count[3])
    if (min > mostRepeats || (max !== Infinity && max > mostRepeats) || max < min) this.#fail('a repeat count is wrong')
    return { min, max }
  }

  #atom(depth: number): Node {
    const char = this.#next()
    switch (char) {
      case '(':
        return this.#group(depth)
      case '[':
        return { type: 'set', set: this.#class() }
      case '.':
        return { type: 'set', set: some(() => true) }
      case '^':
        return { type: 'assert', at: 'start' }
      case '$':
        return { type: 'assert', at: 'end' }
      case '\\':
        return this.#escape()
      case '*':
      case '+':
      case '?':
        return this.#fail('there is nothing to repeat')
      default:
        return this.#literal(char)
    }
  }

  /** Behind its opening parenthesis. What flags it sets inside end with it. */
  #group(depth: number): Node {
    const former = this.#ignoresCase
    if (this.#skip('?')) {
      const rest = this.#source.slice(this.#at)
      const name = /^P?<([A-Za-z_]\w*)>/.exec(rest)
      const flags = /^([imsU]*)(?:-([imsU]+))?([:)])/.exec(rest)
      if (name !== null) this.#at += name[0].length
      else if (flags !== null) {
        this.#at += flags[0].length
        if (flags[1]?.includes('i') === true) this.#ignoresCase = true
        if (flags[2]?.includes('i') === true) this.#ignoresCase = false
        // Flags alone hold until the group that they stand in ends.
        if (flags[3] === ')') return { type: 'sequence', parts: [] }
      } else this.#fail('a group of this kind is not known')
    }
    const node = this.choice(depth + 1)
    if (!this.#skip(')')) this.#fail('a closing ) is missing')
    this.#ignoresCase = former
    // Wrapped, so that a repetition behind it takes it as a whole.
    return { type: 'sequence', parts: [node] }
  }

  #escape(): Node {
    const char = this.#next('a \\ stands at the end')
    switch (char) {
      case 'A':
        return { type: 'assert', at: 'start' }
      case 'z':
        return { type: 'assert', at: 'end' }
      case 'b':
        return { type: 'assert', at: 'boundary' }
      case 'B':
        return { type: 'assert', at: 'no boundary' }
      case 'C':
        return { type: 'set', set: some(() => true) }
      default: {
        const set = this.#classEscape(char)
        return set === null ? this.#code(this.#codeEscape(char)) : { type: 'set', set }
      }
    }
  }

  /** \d, \pL and the like; null for what stands for one character. */
  #classEscape(char: string): Uint8Array | null {
    const perl = perlClasses[char.toLowerCase()]
    if (perl !== undefined) return char === char.toLowerCase() ? perl : inverse(perl)
    if (char !== 'p' && char !== 'P') return null
    const braced = /^\{(\^?)(\w+)\}/.exec(this.#source.slice(this.#at))
    const name = braced?.[2] ?? this.#next('\\p needs a class')
    if (braced !== null) this.#at += braced[0].length
    const set = this.#unicode(name)
    return (char === 'P') !== (braced?.[1] === '^') ? inverse(set) : set
  }

  #unicode(name: string): Uint8Array {
    if (name === 'Any') return some(() => true)
    for (const property of [name, `Script=${name}`]) {
      try {
        return ofRegExp(new RegExp(`\\p{${property}}`, 'u'))
      } catch {
        // Not of this kind.
      }
    }
    return this.#fail(`there is no class ${name}`)
  }

  /** Of what follows a backslash and stands for one character. */
  #codeEscape(char: string): number {
    const control = controlEscapes[char]
    if (control !== undefined) return control
    const rest = this.#source.slice(this.#at - 1)
    const number =
      /^x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,8})\})/.exec(rest) ?? /^()()0[0-7]{0,2}|^()()[1-7][0-7]{1,2}/.exec(rest)
    if (number !== null) {
      this.#at += number[0].length - 1
      const hexadecimal = number[1] ?? number[2]
      const code = hexadecimal ? parseInt(hexadecimal, 16) : parseInt(number[0], 8)
      if (code > 0x10ffff) this.#fail('there is no such character')
      return code
    }
    if (/[0-9A-Za-z]/.test(char)) this.#fail(`\\${char} is not known`)
    return char.codePointAt(0)!
  }

  /** Behind its opening bracket. */
  #class(): Uint8Array {
    const isInverse = this.#skip('^')
    const set = none()
    const add = (other: Uint8Array) => other.forEach((has, code) => (set[code]! |= has))
    for (let isFirst = true; isFirst || !this.#skip(']'); isFirst = false) {
      const posix = /^\[:(\^?)(\w+):\]/.exec(this.#source.slice(this.#at, this.#at + 20))
      if (posix !== null) {
        this.#at += posix[0].length
        const named = posixClasses[posix[2]!] ?? this.#fail(`there is no class ${posix[2]!}`)
        add(posix[1] === '^' ? inverse(named) : named)
        continue
      }
      const from = this.#classItem()
      if (typeof from !== 'number') {
        add(from)
        continue
      }
      const isRange = this.#peek('-') && this.#source[this.#at + 1] !== ']' && this.#source[this.#at + 1] !== undefined
      if (isRange) this.#at++
      const to = isRange ? this.#classItem() : from
      if (typeof to !== 'number' || to < from) this.#fail('a range of characters is wrong')
      else for (let code = from; code <= to && code < codes; code++) set[code] = 1
    }
    const all = this.#ignoresCase ? withBothCases(set) : set
    return isInverse ? inverse(all) : all
  }

  #classItem(): number | Uint8Array {
    const char = this.#next('a closing ] is missing')
    if (char !== '\\') return char.codePointAt(0)!
    const escaped = this.#next('a \\ stands at the end')
    return this.#classEscape(escaped) ?? this.#codeEscape(escaped)
  }

  #literal(char: string): Node {
    return this.#code(char.codePointAt(0)!)
  }

  #code(code: number): Node {
    const set = some((each) => each === code)
    return { type: 'set', set: this.#ignoresCase ? withBothCases(set) : set }
  }

  #peek(text: string): boolean {
    return this.#source.startsWith(text, this.#at)
  }

  #skip(text: string): boolean {
    const isThere = this.#peek(text)
    if (isThere) this.#at += text.length
    return isThere
  }

  #next(orElse = 'it ends too early'): string {
    const code = this.#source.codePointAt(this.#at)
    if (code === undefined) return this.#fail(orElse)
    const char = String.fromCodePoint(code)
    this.#at += char.length
    return char
  }

  #fail(reason: string): never {
    throw new InvalidRegexError(`${reason} (at ${this.#at})`)
  }
}

function withBothCases(set: Uint8Array): Uint8Array {
  return some((code) => {
    const char = String.fromCharCode(code)
    return set[char.toLowerCase().charCodeAt(0)] === 1 || set[char.toUpperCase().charCodeAt(0)] === 1
  })
}

/** How many instructions it takes. */
function sizeOf(node: Node): number {
  switch (node.type) {
    case 'set':
    case 'assert':
      return 1
    case 'sequence':
      return node.parts.reduce((sum, part) => sum + sizeOf(part), 1)
    case 'choice':
      return node.options.reduce((sum, option) => sum + sizeOf(option) + 2, 0)
    case 'repeat':
      return (sizeOf(node.part) + 1) * (node.max === Infinity ? node.min + 1 : node.max) + 2
  }
}
