import { isNotFound, type FileSystem } from './file-system.ts'

/** Offsets by topic and partition. */
export type PartitionOffsets = Map<string, Map<number, number>>

/** Kafka's checkpoint format: version, number of lines, then topic, partition and offset a line. */
export function formatOffsetCheckpoint(offsets: PartitionOffsets): string {
  const lines = [...offsets].flatMap(([topic, byPartition]) =>
    [...byPartition].map(([partition, offset]) => `${topic} ${partition} ${offset}\n`),
  )
  return `0\n${lines.length}\n${lines.join('')}`
}

/** Reads a checkpoint; undefined where it is missing or does not read, which callers treat as "nothing is known". */
export function readOffsetCheckpoint(fs: FileSystem, path: string): PartitionOffsets | undefined {
  let lines: string[]
  try {
    lines = fs.readFileSync(path, 'utf8').split('\n')
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
  const count = Number(lines[1])
  if (lines[0] !== '0' || !Number.isInteger(count) || lines.length < count + 2) return undefined
  const offsets: PartitionOffsets = new Map()
  for (let i = 2; i < count + 2; i++) {
    const match = /^(\S+) (\d+) (\d+)$/.exec(lines[i]!)
    if (match === null) return undefined
    const topic = match[1]!
    const byPartition = offsets.get(topic) ?? new Map<number, number>()
    offsets.set(topic, byPartition.set(Number(match[2]), Number(match[3])))
  }
  return offsets
}
