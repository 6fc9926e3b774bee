import { createHash } from 'node:crypto'
import type { Schema } from '@tidewire/sdk'
import type { Mapping } from './mapping.ts'

/**
 * What stands for a TOASTed value that an update has not changed, so that the server did not send it: the placeholder in
 * a form that the schema takes. Undefined where there is none: numbers, geometries, vectors.
 */
export function unavailableOf(mapping: Mapping, placeholder: string): unknown {
  if (mapping.unavailable !== undefined) return mapping.unavailable(placeholder)
  if (mapping.schema.type === 'array') return elementsOf(mapping.schema.values!, placeholder)
  return plain(mapping.schema, placeholder)
}

function plain(schema: Schema, placeholder: string): unknown {
  if (schema.type === 'string') return placeholder
  if (schema.type === 'bytes' && schema.name === undefined) return Buffer.from(placeholder)
  return undefined
}

function elementsOf(element: Schema, placeholder: string): unknown {
  switch (element.type) {
    case 'int16':
    case 'int32':
    case 'int64':
      return [...new Int8Array(Buffer.from(placeholder))]
    default: {
      const value = element.name === 'io.debezium.data.Uuid' ? nameUuid(placeholder) : plain(element, placeholder)
      return value === undefined ? undefined : [value]
    }
  }
}

/** Version 3, as java.util.UUID.nameUUIDFromBytes makes it. */
export function nameUuid(name: string): string {
  const hash = createHash('md5').update(name).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x30
  hash[8] = (hash[8]! & 0x3f) | 0x80
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
