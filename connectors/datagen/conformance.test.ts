import { sourceConformance } from '@tidewire/sdk/testing'
import { test } from 'vitest'
import { Device } from './readings.ts'
import { datagenSource } from './source.ts'

const start = 1_700_000_000_000

const cases = sourceConformance({
  source: datagenSource,
  endless: true,
  identify: ({ value }) => JSON.stringify(value),
  system: () => {
    let count = 0
    return {
      config: { 'kafka.topic': 'readings', rate: '0', devices: '3', 'start.time': String(start) },
      add: (more) =>
        Array.from({ length: more }, () => {
          const seq = Math.floor(count / 3)
          return JSON.stringify(new Device(1, count++ % 3).reading(seq, start + seq * 1000))
        }),
    }
  },
})
for (const { name, run } of cases) test(name, run)
