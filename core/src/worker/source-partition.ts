import type { SourceOffset, SourcePartition } from '@tidewire/sdk'

/** Keys by object: sources mostly use one object for all records of a partition. */
const known = new WeakMap<SourcePartition, string>()

/** A text that is the same for partitions of the same contents, whatever the order of their keys. */
export function partitionKey(partition: SourcePartition): string {
  let key = known.get(partition)
  if (key === undefined) {
    key = canonicalJson(partition)
    known.set(partition, key)
  }
  return key
}

/** JSON of a flat object with its keys in order. */
export function canonicalJson(flat: SourcePartition | SourceOffset): string {
  const names = Object.keys(flat)
  if (names.length <= 1) return JSON.stringify(flat)
  return `{${names
    .sort()
    .map((name) => `${JSON.stringify(name)}:${JSON.stringify(flat[name])}`)
    .join(',')}}`
}
