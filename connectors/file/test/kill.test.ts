import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { endWithTest } from '../../../test/support/end-with-test.ts'

const count = 60_000

test('with exactly.once each record is in the file once, however often the process is killed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'file-sink-'))
  const file = join(folder, 'out.txt')
  const size = async () => (await stat(file).catch(() => ({ size: 0 }))).size
  const start = (limit = count) => {
    const args = [join(import.meta.dirname, 'sink-process.ts'), file, String(count), String(limit)]
    const child = spawn(process.execPath, args, { stdio: 'inherit' })
    endWithTest(child)
    return child
  }
  try {
    for (let kills = 1; kills <= 5; kills++) {
      const before = await size()
      // However late it is killed, it has not come to its end.
      const child = start(10_000 * kills)
      const ended = once(child, 'exit')
      // Some way into its work, at a moment of its own each time.
      while ((await size()) < before + 40_000 * kills && child.exitCode === null) await sleep(1)
      child.kill('SIGKILL')
      await ended
      expect(child.signalCode).toBe('SIGKILL')
    }
    const [code] = (await once(start(), 'exit')) as [number]
    expect(code).toBe(0)
    const numbers = (await readFile(file, 'utf8')).split('\n').map((line) => line.split(' ')[0])
    expect(numbers).toEqual([...Array.from({ length: count }, (_, n) => String(n)), ''])
  } finally {
    await rm(folder, { recursive: true })
  }
})
