import { schema, type SourceRecord, type SourceTaskContext } from '@tidewire/sdk'
import type { DatagenConfig } from './config.ts'
import { pause } from './pause.ts'
import { Device, readingSchema } from './readings.ts'

type Context = SourceTaskContext<DatagenConfig>

const keySchema = schema.string()
const batchSize = 1000
/** Fewer wake-ups at a high rate: records that are due within this time make a batch. */
const shortestPauseMs = 10

/** Readings of all devices in turn, from where the stored counter stands. */
export async function* generate(context: Context): AsyncGenerator<SourceRecord[]> {
  const { config, signal } = context
  const devices = Array.from({ length: config.devices }, (_, index) => new Device(config['random.seed'], index))
  const partition = { generator: config.quickstart }
  const stored = (await context.offsets.get(partition))?.['count']
  let count = typeof stored === 'number' ? stored : 0
  const end = config.iterations < 0 ? Infinity : config.iterations
  const pace = config.rate === undefined ? randomPace(config['max.interval']) : steadyPace(config.rate)

  while (count < end && !signal.aborted) {
    const due = Math.min(await pace(signal), end - count)
    const records: SourceRecord[] = []
    for (const to = count + due; count < to; count++) {
      const seq = Math.floor(count / devices.length)
      const device = devices[count % devices.length]!
      const start = config['start.time']
      const ts = start === undefined ? Date.now() : start + seq * 1000
      records.push({
        topic: config['kafka.topic'],
        key: device.id,
        keySchema,
        value: device.reading(seq, ts),
        valueSchema: readingSchema,
        sourcePartition: partition,
        sourceOffset: { count: count + 1 },
      })
    }
    if (records.length > 0) yield records
  }
}

/** Waits until records are due, and says how many; 0 when the signal ended the wait. */
type Pace = (signal: AbortSignal) => Promise<number>

/** One record after each pause of a random length. */
function randomPace(maxPauseMs: number): Pace {
  if (maxPauseMs === 0) return steadyPace(0)
  return async (signal) => ((await pause(Math.random() * maxPauseMs, signal)) ? 1 : 0)
}

/** `rate` records a second, 0 being as many as there is room for. */
function steadyPace(rate: number): Pace {
  if (rate === 0) return async () => batchSize
  let next = performance.now() // when the next record is due
  return async (signal) => {
    const now = performance.now()
    // What a slow worker could not take is made up for, but for no more than a second.
    next = Math.max(next, now - 1000)
    if (next > now && !(await pause(Math.max(next - now, shortestPauseMs), signal))) return 0
    const due = Math.min(Math.floor(((performance.now() - next) * rate) / 1000) + 1, batchSize)
    if (due < 1) return 0
    next += (due * 1000) / rate
    return due
  }
}
