/**
 * The language of expressions: CEL (cel.dev), of a library that is loaded with the first expression, with what records hold
 * added to it: numbers as they are held here, decimals, and regular expressions under a time limit.
 */
import { createRequire } from 'node:module'
import { Decimal } from '@tidewire/sdk'
import type * as Cel from '@marcbachmann/cel-js'
import { rescale } from '@tidewire/sdk/values'
import { JavaRegex } from '../java-regex.ts'
import { guardFunctions } from './cel-guard.ts'

export type CelLibrary = typeof Cel

/** What an expression may name, and the schema of its values where it is always the same. */
export const variables = ['value', 'key', 'headers', 'topic', 'partition', 'offset', 'timestamp'] as const

let library: CelLibrary | undefined
let environment: Cel.Environment | undefined

/** Loaded here, since most connectors have no expression. */
export function celLibrary(): CelLibrary {
  library ??= createRequire(import.meta.url)('@marcbachmann/cel-js') as CelLibrary
  return library
}

export function celEnvironment(): Cel.Environment {
  if (environment !== undefined) return environment
  environment = new (celLibrary().Environment)({
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: true,
    limits: { maxAstNodes: 1000, maxDepth: 60 },
  })
  for (const name of variables) environment.registerVariable(name, 'dyn')
  addNumbers(environment)
  addDecimals(environment)
  environment.registerFunction('fromMillis(dyn): google.protobuf.Timestamp', (ms: unknown) => dateOf(ms))
  environment.registerFunction('string.foundIn(string): bool', findRegex)
  for (const [signature, handler] of guardFunctions) environment.registerFunction(signature, handler)
  return environment
}

/** A field's integer is a number here, a literal's a bigint: together they count as what they are. */
function addNumbers(env: Cel.Environment): void {
  type Numeric = number | bigint
  const exact: Record<string, (a: bigint, b: bigint) => bigint> = {
    '+': (a, b) => a + b,
    '-': (a, b) => a - b,
    '*': (a, b) => a * b,
    '%': (a, b) => a % b,
  }
  const float: Record<string, (a: number, b: number) => number> = {
    '+': (a, b) => a + b,
    '-': (a, b) => a - b,
    '*': (a, b) => a * b,
    '%': (a, b) => a % b,
    '/': (a, b) => a / b,
  }
  const mixed = (operator: string) => (a: Numeric, b: Numeric) => {
    if (operator === '%' && Number(b) === 0) throw new RangeError('modulo by zero')
    const integers = exact[operator]
    if (integers === undefined || !isWhole(a) || !isWhole(b)) return float[operator]!(Number(a), Number(b))
    return held(integers(BigInt(a), BigInt(b)))
  }
  for (const operator of Object.keys(float)) {
    env.registerOperator(`double ${operator} int: dyn`, mixed(operator))
    env.registerOperator(`int ${operator} double: dyn`, mixed(operator))
  }
  env.registerOperator('double % double: double', mixed('%'))
}

function isWhole(value: number | bigint): boolean {
  return typeof value === 'bigint' || Number.isSafeInteger(value)
}

/** An integer as values of records hold it. */
export function held(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function addDecimals(env: Cel.Environment): void {
  env.registerType('Decimal', { ctor: Decimal, fields: {} })
  env.registerFunction('decimal(dyn): Decimal', decimalOf)
  env.registerFunction('string(Decimal): string', (value: Decimal) => value.toString())
  env.registerFunction('double(Decimal): double', (value: Decimal) => Number(value.toString()))
  env.registerFunction('int(Decimal): int', wholePart)
  const same = (use: (a: bigint, b: bigint, scale: number) => unknown) => (a: Decimal, b: Decimal) => {
    const scale = Math.max(a.scale, b.scale)
    return use(rescale(a, scale).unscaled, rescale(b, scale).unscaled, scale)
  }
  env.registerOperator(
    'Decimal + Decimal: Decimal',
    same((a, b, scale) => new Decimal(a + b, scale)),
  )
  env.registerOperator(
    'Decimal - Decimal: Decimal',
    same((a, b, scale) => new Decimal(a - b, scale)),
  )
  env.registerOperator(
    'Decimal * Decimal: Decimal',
    (a: Decimal, b: Decimal) => new Decimal(a.unscaled * b.unscaled, a.scale + b.scale),
  )
  env.registerOperator(
    'Decimal == Decimal: bool',
    same((a, b) => a === b),
  )
  env.registerOperator(
    'Decimal < Decimal: bool',
    same((a, b) => a < b),
  )
  env.registerOperator(
    'Decimal <= Decimal: bool',
    same((a, b) => a <= b),
  )
  env.registerOperator(
    'Decimal > Decimal: bool',
    same((a, b) => a > b),
  )
  env.registerOperator(
    'Decimal >= Decimal: bool',
    same((a, b) => a >= b),
  )
}

/** @throws RangeError for what no int holds */
function wholePart({ unscaled, scale }: Decimal): bigint {
  if (unscaled === 0n || scale > unscaled.toString().length) return 0n
  if (scale < -maxIntDigits) throw new RangeError(`a number of scale ${scale} is no int`)
  return scale > 0 ? unscaled / 10n ** BigInt(scale) : unscaled * 10n ** BigInt(-scale)
}

/** Of 64 bits. */
const maxIntDigits = 19

function decimalOf(value: unknown): Decimal {
  if (value instanceof Decimal) return value
  if (typeof value === 'string' || typeof value === 'bigint') return Decimal.parse(String(value))
  if (typeof value === 'number' && Number.isFinite(value)) return Decimal.parse(String(value))
  throw new RangeError('decimal() takes a text or a number')
}

function dateOf(ms: unknown): Date {
  const date = new Date(Number(ms))
  if ((typeof ms !== 'number' && typeof ms !== 'bigint') || Number.isNaN(date.getTime())) {
    throw new RangeError('fromMillis() takes milliseconds since the epoch')
  }
  return date
}

const maxRegexes = 100
const regexes = new Map<string, JavaRegex>()

/** What `matches` stands for: a search, as CEL has it, by expressions of java.util.regex, as all transforms have them. */
function findRegex(text: string, pattern: string): boolean {
  let regex = regexes.get(pattern)
  if (regex === undefined) {
    regex = new JavaRegex(pattern)
    if (regexes.size >= maxRegexes) regexes.clear()
    regexes.set(pattern, regex)
  }
  return regex.isFoundIn(text)
}
