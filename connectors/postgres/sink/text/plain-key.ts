import type { Schema } from '@tidewire/sdk'
import type { TargetColumn } from '../target-tables.ts'
import type { Encode } from './encode.ts'

/**
 * How values of a column of the key are written such that two are the same to the server exactly where their texts are.
 * @returns undefined where that cannot be told: `1.0` and `1` are one numeric, `a` and `A` one citext
 */
export function plainKeyEncoder(
  encode: Encode,
  schema: Schema | undefined,
  { type, isDeterministic }: Pick<TargetColumn, 'type' | 'isDeterministic'>,
): Encode | undefined {
  switch (type.name) {
    case 'text':
    case 'varchar':
      return isDeterministic ? encode : undefined
    case 'int2':
    case 'int4':
    case 'int8':
      if (schema === undefined || schema.type === 'string') return (value) => plainInteger(encode(value))
      return /^int(8|16|32|64)$/.test(schema.type) ? encode : undefined
    case 'uuid':
      // It may have capital letters, braces and hyphens in other places.
      return (value) => encode(value).toLowerCase().replaceAll(/[{}-]/g, '')
    case 'bool':
      return schema?.type === 'boolean' ? encode : undefined
    case 'bytea':
      return schema?.type === 'bytes' ? encode : undefined
    case 'date':
      return schema?.type === 'int32' ? encode : undefined
    default:
      return undefined
  }
}

/** Without leading zeros, a plus or space; what is no integer is left to the server to refuse. */
function plainInteger(text: string): string {
  if (!/^\s*[+-]?\d+\s*$/.test(text)) return text
  return String(BigInt(text))
}
