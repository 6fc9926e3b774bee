/** Appends to a log, ended by `kill -9` in the middle. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface Acknowledged {
  readonly partition: number
  readonly offset: number
  readonly value: string
}

const script = fileURLToPath(new URL('append-until-killed.ts', import.meta.url))

/**
 * Lets a process append to the log in `dir`, and kills it after so many acknowledgements; gives those that it told. When this
 * resolves, the process is gone.
 * @param cycle tells the producers of this process from those of others
 * @throws Error where it ended before
 */
export async function appendAndKill(dir: string, cycle: number, killAfter: number): Promise<Acknowledged[]> {
  const child = spawn(process.execPath, [script, dir, `${cycle}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const acknowledged: Acknowledged[] = []
  for await (const line of createInterface(child.stdout)) {
    const match = /^ack (\d+) (\d+) (\S+)$/.exec(line)
    // The last line may be cut off; then it was not said.
    if (match === null) continue
    acknowledged.push({ partition: Number(match[1]), offset: Number(match[2]), value: match[3]! })
    if (acknowledged.length === killAfter) child.kill('SIGKILL')
  }
  const [code, signal] = (await exited) as [number | null, NodeJS.Signals | null]
  if (signal !== 'SIGKILL') throw new Error(`what appends ended by itself: ${String(code ?? signal)}`)
  return acknowledged
}
