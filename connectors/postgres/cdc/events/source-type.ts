import type { TypeCatalog } from '../../types/type-catalog.ts'

/** What the PostgreSQL JDBC driver tells Debezium of a column's type. Column rules go by it, and it can be propagated. */
export interface SourceType {
  /** `int4`, `serial` where the default is a sequence's next value, `_text` of an array. */
  readonly name: string
  /** Characters or digits; −1: none to tell. */
  readonly length: number
  readonly scale: number
  /** Whether JDBC calls it a character type: those that masks apply to. */
  readonly isText: boolean
}

/** The driver's length of what has no limit. */
const unlimited = 2_147_483_647

const serials: Readonly<Record<string, string>> = { int2: 'smallserial', int4: 'serial', int8: 'bigserial' }
const texts = new Set(['text', 'name', 'bpchar', 'varchar', 'char'])
const vectors = new Set(['vector', 'halfvec', 'sparsevec'])
const fixedLengths: Readonly<Record<string, number>> = {
  int2: 5,
  int4: 10,
  int8: 19,
  oid: 10,
  float4: 8,
  float8: 17,
  bool: 1,
  char: 1,
  date: 13,
  interval: 49,
}
/** Without the digits of seconds. */
const timeLengths: Readonly<Record<string, number>> = { time: 8, timetz: 14, timestamp: 22, timestamptz: 28 }

/** @throws never: of a type that is not in the catalog the oid is told as its name */
export function sourceTypeOf(
  column: { readonly typeOid: number; readonly typeModifier: number; readonly defaultSql?: string | undefined },
  catalog: TypeCatalog,
): SourceType {
  const declared = catalog.get(column.typeOid)
  const root = catalog.rootOf(column.typeOid, column.typeModifier)
  if (declared === undefined || root === undefined) {
    return { name: String(column.typeOid), length: unlimited, scale: 0, isText: false }
  }
  const element = root.type.kind === 'array' ? catalog.get(root.type.elementOid) : undefined
  const { length, scale } = sizeOf((element ?? root.type).name, root.modifier)
  const isSequence = column.defaultSql?.includes('nextval(') === true
  return {
    name: (isSequence ? serials[declared.name] : undefined) ?? declared.name,
    length,
    scale,
    isText: root.type.kind === 'enum' || (element === undefined && texts.has(root.type.name)),
  }
}

function sizeOf(type: string, modifier: number): { length: number; scale: number } {
  if (vectors.has(type)) return { length: modifier, scale: 0 }
  const seconds = timeLengths[type]
  if (seconds !== undefined) return timeSize(seconds, modifier)
  switch (type) {
    case 'varchar':
    case 'bpchar':
      return { length: modifier === -1 ? unlimited : modifier - 4, scale: 0 }
    case 'numeric':
      // The longest number that there is, with its point.
      if (modifier === -1) return { length: 131_089, scale: 0 }
      return { length: ((modifier - 4) >> 16) & 0xffff, scale: (modifier - 4) & 0xffff }
    case 'bit':
    case 'varbit':
      return { length: modifier === -1 ? unlimited : modifier, scale: 0 }
    case 'interval':
      return { length: fixedLengths['interval']!, scale: modifier === -1 ? 6 : modifier & 0xffff }
    case 'float4':
      return { length: fixedLengths['float4']!, scale: 8 }
    case 'float8':
      return { length: fixedLengths['float8']!, scale: 17 }
    default:
      return { length: fixedLengths[type] ?? unlimited, scale: 0 }
  }
}

function timeSize(rest: number, modifier: number): { length: number; scale: number } {
  const scale = modifier === -1 ? 6 : modifier
  // The point is counted where there are digits; the driver takes two for one digit.
  const digits = scale === 0 ? 0 : scale === 1 ? 3 : scale + 1
  return { length: rest + digits, scale }
}
