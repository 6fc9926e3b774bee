/** How long a log with many partitions takes to start, after a clean stop and after `kill -9`; each start in a new process. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { table } from '../support/report.ts'

const MIB = 1024 * 1024
const script = new URL('./start-main.ts', import.meta.url).pathname

interface Size {
  readonly partitions: number
  readonly mibEach: number
}

/** One line of the script. */
interface Told {
  readonly wroteMs?: number
  /** From the call to open the log until it is open. */
  readonly openMs: number
  /** Until a record is appended (acks=all) to one of its partitions and read again. */
  readonly firstRecordMs: number
  /** Until all tails are checked, or every partition was opened. */
  readonly allMs: number
  readonly residentMiB: number
  readonly openFiles: number
}

async function run(mode: string, dir: string, size: Size, end: 'kill' | 'close'): Promise<Told> {
  const args = [script, mode, dir, `${size.partitions}`, `${size.mibEach * MIB}`, end]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let told: Told | undefined
  for await (const line of createInterface(child.stdout)) {
    told = JSON.parse(line) as Told
    if (end === 'kill') child.kill('SIGKILL')
  }
  if (told === undefined) throw new Error(`${mode} ended with code ${child.exitCode} and said nothing`)
  return told
}

async function startsOf(parent: string, size: Size, rows: string[][]): Promise<void> {
  const dir = mkdtempSync(join(parent, 'tidewire-starts-'))
  const data = size.mibEach >= 1 ? `${((size.partitions * size.mibEach) / 1024).toFixed(1)} GiB` : 'a record each'
  const name = `${size.partitions.toLocaleString('en')} partitions, ${data}`
  const seconds = (ms: number) => (ms / 1000).toFixed(2)
  const row = (what: string, told: Told) => {
    const { openMs, firstRecordMs, allMs, residentMiB, openFiles } = told
    rows.push([`${name}: ${what}`, `${openMs}`, `${firstRecordMs}`, seconds(allMs), `${residentMiB}`, `${openFiles}`])
  }
  try {
    const written = await run('fill', dir, size, 'kill')
    rows.push([`${name}: create and fill`, '', '', seconds(written.wroteMs!), '', ''])
    row('after kill -9', await run('start', dir, size, 'kill'))
    rmSync(join(dir, 'recovery-point-offset-checkpoint'))
    row('after kill -9, without any checkpoint', await run('start', dir, size, 'close'))
    row('after a clean stop', await run('start', dir, size, 'close'))
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** A table of starts. */
export async function measureStarts(parent: string, dataMib: number): Promise<string> {
  const rows: string[][] = []
  await startsOf(parent, { partitions: 1000, mibEach: dataMib / 1000 }, rows)
  await startsOf(parent, { partitions: 10_000, mibEach: 0 }, rows)
  return table(['', 'open, ms', 'first record, ms', 'all, s', 'RSS, MiB', 'open files'], rows)
}
