/**
 * A reader of topic `sensors` in a process of its own, as a consumer would be: when was each message readable? Told by
 * the parent to begin anew and to report.
 */
import { createClient } from '../../core/src/client/log-client.ts'
import { percentile } from '../support/report.ts'

export interface ReaderReport {
  readonly messages: number
  /** PUBLISH to readable, in ms. */
  readonly p50: number
  readonly p99: number
}

const client = createClient({ bootstrapServers: [process.argv[2]!], clientId: 'bench-reader' })
const reader = client.reader()
let latencies: number[] = []
let messages = 0

process.on('message', (message: 'reset' | 'report') => {
  if (message === 'reset') {
    latencies = []
    messages = 0
    process.send!('reset')
  } else {
    const report: ReaderReport = { messages, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) }
    process.send!(report)
  }
})

reader.assign([{ topic: 'sensors', partition: 0, offset: 'earliest' }])
process.send!('ready')
for (;;) {
  for (const { records } of await reader.poll({ maxWaitMs: 1000 })) {
    const now = performance.timeOrigin + performance.now()
    for (const { value } of records) latencies.push(now - value!.readDoubleBE(0))
    messages += records.length
  }
}
