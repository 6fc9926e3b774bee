/** Characters and classes of characters in the syntax of java.util.regex, as JavaScript writes them with the flag v. */

/** What ends a line in Java. */
export const lineBreaks = '\\n\\r\\x85\\u2028\\u2029'

/** Java's predefined classes concern ASCII alone, also where JavaScript's of the same name do not. */
export const asciiClasses: Readonly<Record<string, string>> = {
  d: '[0-9]',
  D: '[^0-9]',
  w: '[a-zA-Z_0-9]',
  W: '[^a-zA-Z_0-9]',
  s: '[ \\t\\n\\v\\f\\r]',
  S: '[^ \\t\\n\\v\\f\\r]',
  v: '[\\n\\v\\f\\r\\x85\\u2028\\u2029]',
  V: '[^\\n\\v\\f\\r\\x85\\u2028\\u2029]',
  h: '[ \\t\\xa0\\u1680\\u180e\\u2000-\\u200a\\u202f\\u205f\\u3000]',
  H: '[^ \\t\\xa0\\u1680\\u180e\\u2000-\\u200a\\u202f\\u205f\\u3000]',
}

const posixClasses: Readonly<Record<string, string>> = {
  Lower: 'a-z',
  Upper: 'A-Z',
  ASCII: '\\x00-\\x7f',
  Alpha: 'a-zA-Z',
  Digit: '0-9',
  Alnum: 'a-zA-Z0-9',
  Punct: '!-\\/:-@\\[-`\\{-~',
  Graph: '!-~',
  Print: ' -~',
  Blank: ' \\t',
  Cntrl: '\\x00-\\x1f\\x7f',
  XDigit: '0-9a-fA-F',
  Space: ' \\t\\n\\v\\f\\r',
}

const codePoint = (char: string): string => `\\u{${char.codePointAt(0)!.toString(16)}}`

/** A character that stands for itself. With `ignoreCase` a letter of ASCII stands for its other case too. */
export function literal(char: string, ignoreCase: boolean): string {
  if (!/^[a-zA-Z0-9]$/.test(char)) return codePoint(char)
  return ignoreCase && /[a-zA-Z]/.test(char) ? `[${char.toLowerCase()}${char.toUpperCase()}]` : char
}

/** `\p{…}`, `\P{…}`, `\pL` where the parser stands. */
export function property(parser: ClassParser): string {
  const { text, isNegated } = parser.propertyName()
  const negation = isNegated ? '^' : ''
  const posix = posixClasses[parser.ignoresCase && /^(Lower|Upper)$/.test(text) ? 'Alpha' : text]
  if (posix !== undefined) return `[${negation}${posix}]`
  const [, key, value = text] = /^(general_category|gc|script|sc)=(.+)$/i.exec(text) ?? []
  const bare = value.replace(/^Is/i, '')
  const binary = binaryProperties[bare.toUpperCase()]
  const candidates =
    key === undefined ? [binary, bare, `Script=${bare}`] : [key.startsWith('s') ? `Script=${value}` : value]
  for (const name of candidates) {
    if (name === undefined || !isProperty(name)) continue
    const cased = parser.ignoresCase ? casedProperties.find((each) => each.includes(name)) : undefined
    return `[${negation}${(cased ?? [name]).map((each) => `\\p{${each}}`).join('')}]`
  }
  return parser.refuse(`names the property ${text}, which is not supported`)
}

/** With the flag i one stands for all of its line. */
const casedProperties: readonly (readonly string[])[] = [
  ['Lu', 'Ll', 'Lt'],
  ['Uppercase', 'Lowercase'],
]

/** Java's names for them, after `Is`. */
const binaryProperties: Readonly<Record<string, string>> = {
  ALPHABETIC: 'Alphabetic',
  IDEOGRAPHIC: 'Ideographic',
  LETTER: 'L',
  LOWERCASE: 'Lowercase',
  UPPERCASE: 'Uppercase',
  TITLECASE: 'Lt',
  PUNCTUATION: 'P',
  CONTROL: 'Cc',
  WHITE_SPACE: 'White_Space',
  DIGIT: 'Nd',
  HEX_DIGIT: 'Hex_Digit',
  JOIN_CONTROL: 'Join_Control',
  NONCHARACTER_CODE_POINT: 'Noncharacter_Code_Point',
  ASSIGNED: 'Assigned',
}

function isProperty(name: string): boolean {
  try {
    new RegExp(`\\p{${name}}`, 'v')
    return true
  } catch {
    return false
  }
}

const controls: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f', a: '\x07', e: '\x1b' }

/** Reads a class in brackets, with those within it, and what a backslash begins. */
export class ClassParser {
  readonly #pattern: string
  readonly #chars: readonly string[]
  readonly ignoresCase: boolean
  readonly #skipsBlanks: boolean
  /** Where it stands: after what was read. */
  at: number

  constructor(
    pattern: string,
    chars: readonly string[],
    at: number,
    flags: { readonly i: boolean; readonly x: boolean },
  ) {
    this.#pattern = pattern
    this.#chars = chars
    this.at = at
    this.ignoresCase = flags.i
    this.#skipsBlanks = flags.x
  }

  /** From the opening bracket to the one that closes it. */
  parse(): string {
    this.at++
    const isNegated = this.#chars[this.at] === '^'
    if (isNegated) this.at++
    const operands: string[] = []
    do operands.push(this.#union(operands.length === 0))
    while (this.#takeAnd())
    this.at++
    const negation = isNegated ? '^' : ''
    return operands.length === 1
      ? `[${negation}${operands[0]!}]`
      : `[${negation}${operands.map((operand) => `[${operand}]`).join('&&')}]`
  }

  #takeAnd(): boolean {
    if (this.#chars[this.at] !== '&') return false
    this.at += 2
    return true
  }

  /** Up to `&&` or the closing bracket. */
  #union(isFirst: boolean): string {
    let source = ''
    for (;;) {
      const char = this.#chars[this.at]
      if (char === undefined) return this.refuse('ends the expression within a class')
      if (char === ']' && !(isFirst && source === '')) break
      if (char === '&' && this.#chars[this.at + 1] === '&') break
      if (this.#skipsBlanks && /[ \t\n\v\f\r#]/.test(char))
        this.refuse('is a blank or comment in a class, with the flag x')
      source += this.#member(char)
    }
    return source === '' ? this.refuse('leaves a class empty') : source
  }

  #member(char: string): string {
    if (char === '[') return this.parse()
    if (char === '\\') {
      const next = this.#chars[this.at + 1] ?? ''
      if (next === 'Q') return this.#quoted()
      if (next in asciiClasses) {
        this.at += 2
        return asciiClasses[next]!
      }
      if (next === 'p' || next === 'P') return property(this)
    }
    const from = this.#char()
    if (this.#chars[this.at] !== '-' || /^[\][]?$/.test(this.#chars[this.at + 1] ?? '')) {
      return literal(from, this.ignoresCase)
    }
    this.at++
    const to = this.#char()
    if (to.codePointAt(0)! < from.codePointAt(0)!) this.refuse('ends a range before it begins')
    return codePoint(from) + '-' + codePoint(to) + (this.ignoresCase ? otherCase(from, to) : '')
  }

  #char(): string {
    const char = this.#chars[this.at]
    if (char === '\\') return this.escapedChar()
    this.at++
    return char ?? this.refuse('ends the expression within a class')
  }

  #quoted(): string {
    const rest = this.#chars.slice(this.at + 2).join('')
    const end = rest.indexOf('\\E')
    if (end === -1) return this.refuse('opens a quote that is not closed')
    const text = Array.from(rest.slice(0, end))
    this.at += text.length + 4
    return text.map((char) => literal(char, this.ignoresCase)).join('')
  }

  /** The character that a backslash and what follows stand for. */
  escapedChar(): string {
    const rest = this.#chars.slice(this.at, this.at + 16).join('')
    const coded = /^\\(?:x([0-9a-fA-F]{2})|x\{([0-9a-fA-F]{1,8})\}|u([0-9a-fA-F]{4})|0([0-3][0-7]{2}|[0-7]{1,2}))/.exec(
      rest,
    )
    if (coded !== null) {
      this.at += coded[0].length
      const [, x, braced, u, octal] = coded
      const code = octal === undefined ? Number.parseInt((x ?? braced ?? u)!, 16) : Number.parseInt(octal, 8)
      if (code > 0x10ffff) this.refuse('is no character')
      return String.fromCodePoint(code)
    }
    const char = this.#chars[this.at + 1]
    if (char === undefined) return this.refuse('ends with a backslash')
    if (char === 'c' && this.#chars[this.at + 2] !== undefined) {
      this.at += 3
      return String.fromCodePoint(this.#chars[this.at - 1]!.codePointAt(0)! ^ 64)
    }
    if (!(char in controls) && /[a-zA-Z0-9]/.test(char)) return this.refuse(`is \\${char}, which is not supported`)
    this.at += 2
    return controls[char] ?? char
  }

  propertyName(): { readonly text: string; readonly isNegated: boolean } {
    const rest = this.#chars.slice(this.at, this.at + 60).join('')
    const [whole, kind, name, letter] = /^\\([pP])(?:\{([^}]+)\}|([A-Z]))/.exec(rest) ?? []
    if (whole === undefined) return this.refuse('names no property')
    this.at += whole.length
    return { text: (name ?? letter)!, isNegated: kind === 'P' }
  }

  refuse(why: string): never {
    throw new RangeError(`regular expression ${this.#pattern}: what stands at ${this.at} ${why}`)
  }
}

/** The letters of ASCII that a range holds in their other case. */
function otherCase(from: string, to: string): string {
  let source = ''
  for (const [first, last] of [
    [0x41, 0x5a],
    [0x61, 0x7a],
  ] as const) {
    const low = Math.max(first, from.codePointAt(0)!)
    const high = Math.min(last, to.codePointAt(0)!)
    if (low <= high) source += `${String.fromCodePoint(low ^ 0x20)}-${String.fromCodePoint(high ^ 0x20)}`
  }
  return source
}
