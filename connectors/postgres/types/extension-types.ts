import { DataError, schema } from '@tidewire/sdk'
import type { Mapping } from './mapping.ts'

/** pgvector's `vector`: `[1,2.5]`. */
export const vector: Mapping = {
  schema: schema.array(schema.float64(), { name: 'io.debezium.data.DoubleVector', version: 1 }),
  read: (bytes, start, end) => numbersIn(bytes.toString('latin1', start + 1, end - 1)),
  empty: [],
}

/** pgvector's `halfvec`. */
export const halfvec: Mapping = {
  schema: schema.array(schema.float32(), { name: 'io.debezium.data.FloatVector', version: 1 }),
  read: (bytes, start, end) => numbersIn(bytes.toString('latin1', start + 1, end - 1)).map(Math.fround),
  empty: [],
}

/** pgvector's `sparsevec`: `{1:1.5,3:2}/5`, with the dimensions at the end. */
export const sparsevec: Mapping = {
  schema: schema.struct(
    { dimensions: schema.int16(), vector: schema.map(schema.int16(), schema.float64()) },
    { name: 'io.debezium.data.SparseDoubleVector', version: 1, doc: 'Sparse double vector' },
  ),
  read: (bytes, start, end) => {
    const [elements = '', count] = bytes.toString('latin1', start + 1, end).split('}/')
    const dimensions = Number(count)
    if (dimensions > 32_767) {
      throw new DataError(
        `a sparsevec of ${dimensions} dimensions has no place in io.debezium.data.SparseDoubleVector, which counts to 32767: leave its column out with column.exclude.list`,
        { code: 'POSTGRES_VECTOR_DIMENSIONS' },
      )
    }
    const vector = new Map<number, number>()
    for (const element of elements === '' ? [] : elements.split(',')) {
      const colon = element.indexOf(':')
      vector.set(Number(element.slice(0, colon)), Number(element.slice(colon + 1)))
    }
    return { dimensions, vector }
  },
  empty: { dimensions: 0, vector: new Map() },
}

function numbersIn(text: string): number[] {
  return text === '' ? [] : text.split(',').map(Number)
}

/** hstore, by `hstore.handling.mode`: JSON text, or a map. */
export function hstoreMapping(mode: 'json' | 'map'): Mapping {
  if (mode === 'map') {
    return {
      schema: schema.map(schema.string(), schema.string({ optional: true })),
      read: (bytes, start, end) => new Map(pairsIn(bytes.toString('utf8', start, end))),
      empty: new Map(),
      unavailable: (placeholder) => new Map([[placeholder, placeholder]]),
    }
  }
  return {
    schema: schema.string({ name: 'io.debezium.data.Json', version: 1 }),
    read: (bytes, start, end) => jsonOf(pairsIn(bytes.toString('utf8', start, end))),
    empty: '{}',
    unavailable: (placeholder) => jsonOf([[placeholder, placeholder]]),
  }
}

// Not from an object: it would bring keys that look like array indexes to the front.
function jsonOf(pairs: readonly (readonly [string, string | null])[]): string {
  return `{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`
}

/** `"a"=>"1", "b c"=>NULL`: keys and values are always in quotes, with backslashes before quotes and backslashes. */
function pairsIn(text: string): [string, string | null][] {
  const pairs: [string, string | null][] = []
  const pattern = /"((?:[^"\\]|\\.)*)"=>(?:"((?:[^"\\]|\\.)*)"|NULL)/gs
  for (const [, key = '', value] of text.matchAll(pattern)) {
    pairs.push([unescaped(key), value === undefined ? null : unescaped(value)])
  }
  return pairs
}

function unescaped(text: string): string {
  return text.includes('\\') ? text.replaceAll(/\\(.)/gs, '$1') : text
}
