import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sinkConformance, sourceConformance } from '@tidewire/sdk/testing'
import { describe, test } from 'vitest'
import { fileSink } from './sink.ts'
import { fileSource } from './source.ts'

describe('file-source', () => {
  const cases = sourceConformance({
    source: fileSource,
    system: () => {
      const folder = mkdtempSync(join(tmpdir(), 'file-source-'))
      const file = join(folder, 'in.txt')
      let lines = 0
      return {
        config: { file, topic: 'lines', 'poll.interval.ms': '1' },
        add: (count) => {
          const added = Array.from({ length: count }, () => `line ${lines++} é`)
          appendFileSync(file, added.map((line) => `${line}\n`).join(''))
          return added
        },
        dispose: () => rmSync(folder, { recursive: true }),
      }
    },
  })
  for (const { name, run } of cases) test(name, run)
})

describe.each([true, false])('file-sink with exactly.once=%s', (exactlyOnce) => {
  const cases = sinkConformance({
    sink: fileSink,
    exactlyOnce,
    system: () => {
      const folder = mkdtempSync(join(tmpdir(), 'file-sink-'))
      const file = join(folder, 'out.txt')
      return {
        config: { file, 'exactly.once': exactlyOnce },
        read: () => readFileSync(file, 'utf8').split('\n').slice(0, -1),
        dispose: () => rmSync(folder, { recursive: true }),
      }
    },
  })
  for (const { name, run } of cases) test(name, run)
})
