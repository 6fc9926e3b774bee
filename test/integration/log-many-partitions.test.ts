import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const script = new URL('./many-partitions.ts', import.meta.url).pathname
const PARTITIONS = 10_000

interface Report {
  readonly before: { readonly heap: number; readonly resident: number }
  readonly after: { readonly heap: number; readonly resident: number }
  readonly openFiles: number
  readonly wrong: readonly string[]
}

/** Runs the script to its report and its end, which for `write` is `kill -9`: the next one takes the lock of the directory. */
async function run(dir: string, mode: 'write' | 'check'): Promise<Report> {
  const args = ['--expose-gc', script, dir, `${PARTITIONS}`, mode]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  let report: Report | undefined
  for await (const line of createInterface(child.stdout)) {
    report = JSON.parse(line) as Report
    if (mode === 'write') child.kill('SIGKILL')
  }
  await exited
  if (report === undefined) throw new Error(`ended with code ${child.exitCode} and said nothing`)
  return report
}

test.skipIf(!existsSync('/proc/self/fd'))(
  `${PARTITIONS} partitions, all in use, take few files and little memory, and all come back after a kill`,
  async () => {
    // In memory where that is possible: making tens of thousands of files takes some disks minutes.
    const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tidewire-many-'))
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
    for (const mode of ['write', 'check'] as const) {
      const { before, after, openFiles, wrong } = await run(dir, mode)
      expect(wrong).toEqual([])
      // The pool's bound, and what Node has open itself.
      expect(openFiles).toBeLessThan(256 + 50)
      if (mode === 'write') {
        expect((after.heap - before.heap) / PARTITIONS).toBeLessThan(6 * 1024)
        expect((after.resident - before.resident) / PARTITIONS).toBeLessThan(30 * 1024)
      }
    }
  },
  // Tens of thousands of files, on whatever disk.
  300_000,
)
