import type { TypeCatalog } from '../../types/type-catalog.ts'

/** The type of a column that is written to, domains looked through. */
export interface TargetType {
  /** pg_type.typname: `int4`, `timestamptz`, `_text`. */
  readonly name: string
  /** Of an array. */
  readonly elements?: TargetType
  /** Between the elements of an array of this type. */
  readonly delimiter: string
}

export function targetTypeOf(typeOid: number, catalog: TypeCatalog): TargetType {
  const type = catalog.rootOf(typeOid, -1)?.type
  if (type === undefined) return { name: 'unknown', delimiter: ',' }
  const { name, delimiter, elementOid } = type
  return type.kind === 'array' ? { name, delimiter, elements: targetTypeOf(elementOid, catalog) } : { name, delimiter }
}

const numbers = new Set(['int2', 'int4', 'int8', 'oid', 'float4', 'float8', 'numeric', 'money'])
const texts = new Set(['text', 'varchar', 'bpchar', 'char', 'name', 'citext'])

export const isNumber = ({ name }: TargetType): boolean => numbers.has(name)
export const isText = ({ name }: TargetType): boolean => texts.has(name)
export const isJson = ({ name }: TargetType): boolean => name === 'json' || name === 'jsonb'
export const isBits = ({ name }: TargetType): boolean => name === 'bit' || name === 'varbit'
