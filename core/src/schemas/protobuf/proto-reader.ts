import { InvalidSchemaError } from '../schema-format.ts'

const space = 0x20
const tab = 0x09
const lineFeed = 0x0a
const carriageReturn = 0x0d
const slash = 0x2f
const backslash = 0x5c

const word = /[A-Za-z0-9_\-.]+/y
const wordWithoutDots = /[A-Za-z0-9_-]+/y

const escapes: Readonly<Record<string, string>> = { a: '\u0007', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

/** Reads the words, strings and signs of a .proto text; between any two of them white space and comments are passed over. */
export class ProtoReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get isAtEnd(): boolean {
    this.#skip()
    return this.#at >= this.#text.length
  }

  /** The next sign, which stays; '' at the end. */
  peek(): string {
    this.#skip()
    return this.#text.charAt(this.#at)
  }

  /** Takes the next sign if it is this one. */
  take(sign: string): boolean {
    if (this.peek() !== sign) return false
    this.#at++
    return true
  }

  /** @throws InvalidSchemaError where the next sign is another */
  expect(sign: string): void {
    if (!this.take(sign)) throw this.error(`expected '${sign}' but found ${this.#found()}`)
  }

  word(dots = true): string {
    this.#skip()
    const pattern = dots ? word : wordWithoutDots
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found === undefined) throw this.error(`expected a word but found ${this.#found()}`)
    this.#at += found.length
    return found
  }

  /** The name of a field or constant: a word that does not begin with a digit. */
  name(): string {
    const name = this.word()
    if (/^\d/.test(name)) throw this.error(`a name cannot begin with a digit: ${name}`)
    return name
  }

  /** A scalar, a type's name, or `map<key, value>`, whose first word may have been read. */
  type(first = this.word()): string {
    if (first !== 'map' || !this.take('<')) return this.#typeName(first)
    const key = this.word()
    this.expect(',')
    const value = this.#typeName(this.word())
    this.expect('>')
    return `map<${key}, ${value}>`
  }

  #typeName(first: string): string {
    let type = first
    while (this.take('.')) type += `.${this.word()}`
    return type
  }

  /** A 32-bit integer. */
  integer(): number {
    const text = this.word()
    const value = /^-?(\d+|0[xX][0-9a-fA-F]+)$/.test(text) ? integerOf(text) : NaN
    if (!(value >= -0x8000_0000 && value <= 0x7fff_ffff)) throw this.error(`expected an integer but found ${text}`)
    return value
  }

  /** A string in quotes; strings beside each other are one. */
  quoted(): string {
    let text = ''
    do text += this.#oneQuoted()
    while (this.peek() === '"' || this.peek() === "'")
    return text
  }

  error(message: string): InvalidSchemaError {
    const before = this.#text.slice(0, this.#at)
    const line = before.split('\n').length
    const column = this.#at - before.lastIndexOf('\n')
    return new InvalidSchemaError(`Could not parse Protobuf: ${message} (line ${line}, column ${column})`)
  }

  #found(): string {
    return this.#at >= this.#text.length ? 'the end' : `'${this.#text.charAt(this.#at)}'`
  }

  #oneQuoted(): string {
    const quote = this.peek()
    if (quote !== '"' && quote !== "'") throw this.error(`expected a string but found ${this.#found()}`)
    const parts: string[] = []
    let from = ++this.#at
    for (;;) {
      if (this.#at >= this.#text.length) throw this.error('a string has no end')
      const code = this.#text.charCodeAt(this.#at)
      if (code === backslash) {
        parts.push(this.#text.slice(from, this.#at), this.#escaped())
        from = this.#at
      } else if (this.#text.charAt(this.#at) === quote) {
        parts.push(this.#text.slice(from, this.#at++))
        return parts.join('')
      } else {
        this.#at++
      }
    }
  }

  #escaped(): string {
    const numeric = /\\(?:[xX]([0-9a-fA-F]{1,2})|([0-7]{1,3}))/y
    numeric.lastIndex = this.#at
    const match = numeric.exec(this.#text)
    if (match !== null) {
      this.#at += match[0].length
      return String.fromCharCode(match[1] === undefined ? parseInt(match[2] ?? '0', 8) : parseInt(match[1], 16))
    }
    const letter = this.#text.charAt(this.#at + 1)
    this.#at += 2
    return escapes[letter] ?? letter
  }

  #skip(): void {
    const text = this.#text
    for (;;) {
      const code = text.charCodeAt(this.#at)
      if (code === space || code === lineFeed || code === carriageReturn || code === tab) this.#at++
      else if (code === slash) this.#skipComment()
      else return
    }
  }

  #skipComment(): void {
    const text = this.#text
    if (text.startsWith('//', this.#at)) {
      const end = text.indexOf('\n', this.#at)
      this.#at = end < 0 ? text.length : end + 1
    } else if (text.startsWith('/*', this.#at)) {
      const end = text.indexOf('*/', this.#at + 2)
      if (end < 0) throw this.error('a comment has no end')
      this.#at = end + 2
    } else {
      throw this.error("unexpected '/'")
    }
  }
}

function integerOf(text: string): number {
  return text.startsWith('-') ? -Number(text.slice(1)) : Number(text)
}
