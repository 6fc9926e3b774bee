// A process of its own for an exactly-once sink, to be killed. Puts `count` records in all, each of which tells its number, and
// ends; or goes no further than `limit`, and waits there.
import { schema } from '@tidewire/sdk'
import { runSink, sinkRecords } from '@tidewire/sdk/testing'
import { postgresSink } from '../../sink/sink.ts'

const [url = '', user = '', count = '0', limit = count] = process.argv.slice(2)
const batch = 200
const valueSchema = schema.struct({ n: schema.int32() })
const config = { 'connection.url': url, 'connection.user': user, 'exactly.once': true, 'auto.create': true }
const run = runSink(postgresSink, config, { timeoutMs: 60_000 })
for (let offset = 0; offset < Number(limit); offset += batch) {
  const values = Array.from({ length: batch }, (_, n) => ({ n: offset + n }))
  await run.put(sinkRecords(values, { offset, valueSchema }))
}
if (limit !== count) await new Promise(() => setInterval(() => undefined, 1000))
await run.close()
await run.stop()
