import { schema } from '@tidewire/sdk'
import type { Mapping, ReadText } from './mapping.ts'

const one = 0x31

/** varbit without a length: pgjdbc tells Debezium that it has the greatest there is. */
const unlimited = 2_147_483_647

/** bit(n) and varbit(n): a boolean of one bit, else bytes, the last bit of the text first. */
export function bitsMapping(modifier: number): Mapping {
  if (modifier === 1) {
    return { schema: schema.boolean(), read: (bytes, start, end) => end > start && bytes[start] === one, empty: false }
  }
  const length = modifier === -1 ? unlimited : modifier
  return {
    schema: schema.bytes({ name: 'io.debezium.data.Bits', version: 1, parameters: { length: String(length) } }),
    read: readBits,
    empty: Buffer.alloc(0),
  }
}

/** As few bytes as hold the highest bit that is set: java.util.BitSet.toByteArray. */
const readBits: ReadText = (bytes, start, end) => {
  let first = start
  while (first < end && bytes[first] !== one) first++
  const value = Buffer.alloc(Math.ceil((end - first) / 8))
  for (let at = first; at < end; at++) {
    if (bytes[at] !== one) continue
    const bit = end - 1 - at
    value[bit >> 3] = value[bit >> 3]! | (1 << (bit & 7))
  }
  return value
}
