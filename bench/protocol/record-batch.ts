/**
 * What building and reading record batches costs, batches of 100 records and more. `node bench/protocol/record-batch.ts`
 *
 * Prints nanoseconds a record, checksum included, the best of several rounds.
 */
import { decodeRecords, RecordBatchBuilder, verifyCrc } from '../../core/src/protocol/record-batch.ts'
import type { RecordHeaderInput } from '../../core/src/protocol/record-batch.ts'

const ROUNDS = 7
const BATCH_RECORDS = 1000

function measure(name: string, run: () => unknown): void {
  let best = Infinity
  let times = 1
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint()
    for (let i = 0; i < times; i++) run()
    const ns = Number(process.hrtime.bigint() - start)
    best = Math.min(best, ns / times)
    times = Math.max(1, Math.round(2e8 / best))
  }
  console.log(`${name.padEnd(52)} ${(best / BATCH_RECORDS).toFixed(0).padStart(6)} ns/record`)
}

interface Shape {
  readonly name: string
  readonly key: (i: number) => Uint8Array | string | null
  readonly value: (i: number) => Uint8Array | string | null
  readonly headers?: readonly RecordHeaderInput[]
}

function build(shape: Shape, keys: (Uint8Array | string | null)[], values: (Uint8Array | string | null)[]): Buffer {
  const builder = new RecordBatchBuilder({ maxBytes: Infinity })
  for (let i = 0; i < BATCH_RECORDS; i++) builder.tryAppend(keys[i]!, values[i]!, shape.headers, 1_700_000_000_000 + i)
  return builder.build()
}

const text = (length: number, i: number): string =>
  Buffer.from(`device-${i} `.repeat(length)).toString('latin1', 0, length)
const headers = [
  { key: 'traceparent', value: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
  { key: 'content-type', value: Buffer.from('application/json') },
]

const shapes: Shape[] = [100, 1024].flatMap((size) => [
  { name: `${size} B bytes, no key`, key: () => null, value: (i) => Buffer.from(text(size, i)) },
  { name: `${size} B bytes, key of 10 characters`, key: (i) => text(10, i), value: (i) => Buffer.from(text(size, i)) },
  { name: `${size} B text, key of 10 characters`, key: (i) => text(10, i), value: (i) => text(size, i) },
  { name: `${size} B text of two-byte characters`, key: (i) => text(10, i), value: (i) => 'ä' + text(size - 2, i) },
  { name: `${size} B text, key, two headers`, key: (i) => text(10, i), value: (i) => text(size, i), headers },
])

for (const shape of shapes) {
  const keys = Array.from({ length: BATCH_RECORDS }, (_, i) => shape.key(i))
  const values = Array.from({ length: BATCH_RECORDS }, (_, i) => shape.value(i))
  const batch = build(shape, keys, values)
  measure(`${shape.name}, encode`, () => build(shape, keys, values))
  measure(`${shape.name}, decode`, () => decodeRecords(batch))
  measure(`${shape.name}, checksum`, () => verifyCrc(batch))
}
