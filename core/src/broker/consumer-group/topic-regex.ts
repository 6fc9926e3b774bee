/**
 * Subscriptions by pattern (ConsumerGroupHeartbeat v1), in the syntax of RE2 as Kafka has it, always on the whole name.
 * Patterns come from clients and are matched in the thread that serves everybody, so JavaScript's engine, which can take
 * exponential time, is out of the question. This one follows all ways through the pattern at once (Thompson, Pike): time and
 * memory are bounded by the length of the name times the size of the pattern, and the size has a limit. Topic names
 * are ASCII, so characters beyond that can be written and never match.
 */
import { parseRegex, type Node } from './topic-regex-syntax.ts'

export { InvalidRegexError } from './topic-regex-syntax.ts'

type Instruction =
  | { readonly op: 'char'; readonly set: Uint8Array }
  | { readonly op: 'split'; to: number; or: number }
  | { readonly op: 'jump'; to: number }
  | { readonly op: 'assert'; readonly at: 'start' | 'end' | 'boundary' | 'no boundary' }
  | { readonly op: 'match' }

export class TopicRegex {
  readonly source: string
  readonly #program: Instruction[] = []
  /** Of each instruction, the last step that it was reached in. */
  readonly #reached: Int32Array
  #step = 0

  /** @throws InvalidRegexError */
  constructor(source: string) {
    this.source = source
    this.#compile(parseRegex(source))
    this.#program.push({ op: 'match' })
    this.#reached = new Int32Array(this.#program.length).fill(-1)
  }

  matches(name: string): boolean {
    this.#reached.fill(-1)
    this.#step = 0
    let now: number[] = []
    this.#follow(0, name, 0, now)
    for (let i = 0; i < name.length && now.length > 0; i++) {
      const next: number[] = []
      const code = name.charCodeAt(i)
      this.#step = i + 1
      for (const at of now) {
        const instruction = this.#program[at]!
        if (instruction.op === 'char' && instruction.set[code] === 1) this.#follow(at + 1, name, i + 1, next)
      }
      now = next
    }
    return now.some((at) => this.#program[at]!.op === 'match')
  }

  /** Adds what can be reached from an instruction without reading a character. */
  #follow(from: number, name: string, position: number, found: number[]): void {
    const open = [from]
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (this.#reached[at] === this.#step) continue
      this.#reached[at] = this.#step
      const instruction = this.#program[at]!
      switch (instruction.op) {
        case 'char':
        case 'match':
          found.push(at)
          break
        case 'jump':
          open.push(instruction.to)
          break
        case 'split':
          open.push(instruction.or, instruction.to)
          break
        case 'assert':
          if (holds(instruction.at, name, position)) open.push(at + 1)
      }
    }
  }

  #compile(node: Node): void {
    const program = this.#program
    switch (node.type) {
      case 'set':
        program.push({ op: 'char', set: node.set })
        return
      case 'assert':
        program.push({ op: 'assert', at: node.at })
        return
      case 'sequence':
        for (const part of node.parts) this.#compile(part)
        return
      case 'choice':
        this.#compileChoice(node.options)
        return
      case 'repeat':
        for (let i = 0; i < node.min; i++) this.#compile(node.part)
        if (node.max === Infinity) this.#compileLoop(node.part)
        else this.#compileOptional(node.part, node.max - node.min)
    }
  }

  #compileChoice(options: readonly Node[]): void {
    const ends: { to: number }[] = []
    options.forEach((option, i) => {
      const split = { op: 'split' as const, to: this.#program.length + 1, or: 0 }
      const isLast = i === options.length - 1
      if (!isLast) this.#program.push(split)
      this.#compile(option)
      if (isLast) return
      const end = { op: 'jump' as const, to: 0 }
      this.#program.push(end)
      ends.push(end)
      split.or = this.#program.length
    })
    for (const end of ends) end.to = this.#program.length
  }

  #compileLoop(part: Node): void {
    const start = this.#program.length
    const split = { op: 'split' as const, to: start + 1, or: 0 }
    this.#program.push(split)
    this.#compile(part)
    this.#program.push({ op: 'jump', to: start })
    split.or = this.#program.length
  }

  /** So many times or less. */
  #compileOptional(part: Node, times: number): void {
    const splits: { or: number }[] = []
    for (let i = 0; i < times; i++) {
      const split = { op: 'split' as const, to: this.#program.length + 1, or: 0 }
      this.#program.push(split)
      splits.push(split)
      this.#compile(part)
    }
    for (const split of splits) split.or = this.#program.length
  }
}

function holds(at: 'start' | 'end' | 'boundary' | 'no boundary', name: string, position: number): boolean {
  switch (at) {
    case 'start':
      return position === 0
    case 'end':
      return position === name.length
    case 'boundary':
    case 'no boundary': {
      const isBoundary = isWord(name.charCodeAt(position - 1)) !== isWord(name.charCodeAt(position))
      return isBoundary === (at === 'boundary')
    }
  }
}

/** NaN, beside the name, is none. */
function isWord(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95 || (code >= 97 && code <= 122)
}
