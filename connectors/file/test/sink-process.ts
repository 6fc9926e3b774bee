// A process of its own for a file-sink, to be killed. Puts `count` records in all, each of which tells its number, and ends; or
// goes no further than `limit`, and waits there.
import { runSink, sinkRecords } from '@tidewire/sdk/testing'
import { fileSink } from '../sink.ts'

const [file = '', count = '0', limit = count] = process.argv.slice(2)
const batch = 50
const run = runSink(fileSink, { file, 'exactly.once': true })
for (let offset = 0; offset < Number(limit); offset += batch) {
  const numbers = Array.from({ length: batch }, (_, n) => `${offset + n} ${'.'.repeat((offset + n) % 100)}`)
  await run.put(sinkRecords(numbers, { offset }))
  if (offset % (20 * batch) === 0) await run.flush()
}
if (limit !== count) await new Promise(() => setInterval(() => undefined, 1000))
await run.close()
await run.stop()
