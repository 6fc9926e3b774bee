/**
 * What keeps an expression within its time. CEL has no loops but over lists and maps, so that every expression ends; nested
 * ones may take their time nevertheless, and texts may grow by being joined with themselves. So each turn of a loop looks
 * whether there is time left, and what a loop or `cel.bind` hands on is looked at for its size. These looks are written
 * into the text of the expression, where it has loops at all: others need none.
 */
import type { ASTNode } from '@marcbachmann/cel-js'

const maxListItems = 100_000
const maxTextLength = 8 * 1024 * 1024
/** Turns between two looks at the clock. */
const turnsPerLook = 256

let deadline = 0
let turns = 0
let reason: string | undefined

/** To be called before an expression with loops; {@link stopped} tells afterwards. Expressions are not nested. */
export function startWatch(limitMs: number): void {
  deadline = performance.now() + limitMs
  turns = 0
  reason = undefined
}

/** Why what came out is not the result; undefined where it is. */
export function stopped(): string | undefined {
  return reason
}

/** Not by an error, which CEL's `exists` and `all` would swallow. @returns whether to go on */
function hasTime(): boolean {
  if (reason !== undefined) return false
  if (++turns % turnsPerLook === 0 && performance.now() > deadline) reason = 'it takes too long'
  return reason === undefined
}

function withinSize(value: unknown): unknown {
  const size = typeof value === 'string' ? value.length / maxTextLength : sizeOf(value) / maxListItems
  if (size <= 1) return value
  reason ??= 'a text or list in it grows too large'
  return null
}

function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length
  return value instanceof Map || value instanceof Set ? value.size : 0
}

/** By their signatures. */
export const guardFunctions: readonly (readonly [string, (...args: never[]) => unknown])[] = [
  ['tidewireHasTime(): bool', hasTime],
  ['tidewireSized(dyn): dyn', withinSize],
]

const loops: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter'])

/** Every node below a node, and itself. */
export function* nodesOf(node: ASTNode): Generator<ASTNode> {
  yield node
  for (const child of childrenOf(node)) yield* nodesOf(child)
}

function childrenOf({ args }: ASTNode): ASTNode[] {
  const found: ASTNode[] = []
  const visit = (part: unknown): void => {
    if (Array.isArray(part)) part.forEach(visit)
    else if (isNode(part)) found.push(part)
  }
  visit(args)
  return found
}

function isNode(part: unknown): part is ASTNode {
  return typeof part === 'object' && part !== null && 'op' in part && 'args' in part && 'range' in part
}

interface Insertion {
  readonly at: number
  readonly text: string
  /** Of what is replaced. */
  readonly length: number
}

/**
 * The same expression with the looks in it, and with what records need beyond CEL: `matches` by our regular expressions, null
 * in a choice.
 */
export function guarded(root: ASTNode): { readonly text: string; readonly hasLoops: boolean } {
  const insertions: Insertion[] = []
  let hasLoops = false
  for (const node of nodesOf(root)) {
    if (node.op === '?:') insertions.push(...nullBranches(node.args))
    if (node.op !== 'rcall') continue
    const [name, receiver, args] = node.args
    if (name === 'matches' && args.length === 1) insertions.push(renamed(node.input, receiver))
    else if (name === 'bind' && receiver.op === 'id' && receiver.args === 'cel' && args.length === 3) {
      hasLoops = true
      const [from, to] = between(node.input, args[0]!, args[1]!)
      insertions.push(...around(from, to, 'tidewireSized(', ')'))
    } else if (loops.has(name) && args.length >= 2) {
      hasLoops = true
      insertions.push(...loopGuards(node, name, args))
    }
  }
  insertions.sort((a, b) => b.at - a.at)
  let text = root.input
  for (const { at, length, text: inserted } of insertions) {
    text = text.slice(0, at) + inserted + text.slice(at + length)
  }
  return { text, hasLoops }
}

function loopGuards(node: ASTNode, name: string, args: readonly ASTNode[]): Insertion[] {
  const { input } = node
  const last: [number, number] = [comma(input, args.at(-2)!) + 1, node.range.end - 1]
  if (name === 'exists') return around(...last, '!tidewireHasTime() || (', ')')
  if (name !== 'map') return around(...last, 'tidewireHasTime() && (', ')')
  const given = around(...last, 'tidewireHasTime() ? tidewireSized(', ') : dyn(null)')
  return args.length === 2
    ? given
    : [...given, ...around(...between(input, args[0]!, args[1]!), 'tidewireHasTime() && (', ')')]
}

function around(from: number, to: number, before: string, after: string): Insertion[] {
  return [
    { at: from, text: ` ${before}`, length: 0 },
    { at: to, text: after, length: 0 },
  ]
}

/** From behind the comma after one argument to the comma after the next. */
function between(input: string, before: ASTNode, argument: ASTNode): [number, number] {
  return [comma(input, before) + 1, comma(input, argument)]
}

/** Where the argument ends: nothing but brackets and blanks stand between it and its comma. */
function comma(input: string, { range }: ASTNode): number {
  return input.indexOf(',', range.end)
}

/** Both branches of a choice are to be of one type for CEL; null beside another is common in records. */
function nullBranches(branches: readonly ASTNode[]): Insertion[] {
  return branches
    .filter((branch) => branch.op === 'value' && branch.args === null)
    .map(({ range }) => ({ at: range.start, text: 'dyn(null)', length: range.end - range.start }))
}

function renamed(input: string, receiver: ASTNode): Insertion {
  return { at: input.indexOf('matches', receiver.range.end), length: 'matches'.length, text: 'foundIn' }
}
