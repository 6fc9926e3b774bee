import { DataError, originalPosition, type Schema, type SinkRecord } from '@tidewire/sdk'

/** What Elasticsearch and OpenSearch take. */
const maxIdBytes = 512
const maxVersion = 2n ** 63n - 1n

/**
 * The id of the document that a record's key names.
 * @throws DataError where it names none
 */
export function keyId({ key, keySchema }: SinkRecord): string {
  if (key === null || key === undefined) {
    throw new DataError(
      'the record has no key to be the id of its document: set key.ignore=true, or make a key with ValueToKey',
    )
  }
  if (!mayBeId(key, keySchema)) {
    const what = keySchema?.type ?? (Array.isArray(key) ? 'array' : typeof key)
    throw new DataError(
      `a key of type ${what} cannot be the id of a document: take a field of it with the transform ExtractField$Key, or set key.ignore=true`,
    )
  }
  const id = String(key)
  if (id === '') throw new DataError('the key is empty, and cannot be the id of a document')
  // Longer ones have the server refuse the bulk as a whole.
  if (id.length * 3 > maxIdBytes && Buffer.byteLength(id) > maxIdBytes) {
    throw new DataError(`the key has more than ${maxIdBytes} bytes, and cannot be the id of a document`)
  }
  return id
}

function mayBeId(key: unknown, schema: Schema | undefined): key is string | number | bigint {
  if (typeof key === 'string') return schema === undefined || schema.type === 'string'
  if (typeof key === 'bigint') return true
  if (typeof key !== 'number' || !Number.isInteger(key)) return false
  return schema === undefined || schema.type.startsWith('int')
}

/**
 * The id of the document of a record whose key does not count: the same whenever the record is read again, and another for any
 * other record, whatever transforms made of its topic.
 */
export function positionId(record: SinkRecord): string {
  const { topic, partition, offset } = originalPosition(record)
  return `${topic}+${partition}+${offset}`
}

/**
 * The version from outside: of two writes of a document, the one with the higher version stays, whichever comes later.
 * @param header whose value it is, in place of the offset
 * @throws DataError where the header has no version
 */
export function versionOf(record: SinkRecord, header: string | undefined): number | bigint {
  if (header === undefined) return record.offset
  const value = record.headers.findLast(({ key }) => key === header)?.value
  const text = versionText(value)
  if (!/^\d{1,19}$/.test(text) || BigInt(text) > maxVersion) {
    throw new DataError(`the header ${header} (external.version.header) has no version: a whole number from 0 on`)
  }
  return BigInt(text)
}

function versionText(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString()
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' ? String(value) : ''
}
