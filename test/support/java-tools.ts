/** Kafka's own command-line tools, from Maven Central: the Java client as its users know it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { kafkaToolLibs } from './kafka.ts'
import { missingProgram } from './programs.ts'

/** Why Kafka's tools cannot run on this machine; undefined where they can. The compiler is for the shell they run in. */
export function javaMissing(): Promise<string | undefined> {
  return missingProgram(['java', '-version'], ['javac', '-version'], ['mvn', '-version'])
}

export interface ToolRun {
  /** Of the process, had it been one. */
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface JavaTools {
  /** Runs the main class to its end. One at a time: a second call waits for the first. */
  run(main: string, args: readonly string[], input?: string): Promise<ToolRun>
  close(): Promise<void>
}

/** One JVM that runs tools until it is closed. */
export async function javaTools(): Promise<JavaTools> {
  const libs = await kafkaToolLibs()
  const shell = fileURLToPath(new URL('java/ToolShell.java', import.meta.url))
  const flags = ['-Xmx512M', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto']
  const child = spawn('java', [...flags, '-cp', join(libs, '*'), shell], { stdio: ['pipe', 'pipe', 'pipe'] })
  const waiting: { resolve: (run: ToolRun) => void; reject: (error: Error) => void }[] = []
  const orphan = (): void => void child.kill('SIGKILL')
  process.once('exit', orphan)
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-10_000)))
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.resolve(JSON.parse(line) as ToolRun))
  const ended = (): Error => new Error(`java ended with code ${String(child.exitCode)}:\n${log}`)
  child.on('exit', () => {
    for (const { reject } of waiting.splice(0)) reject(ended())
  })
  child.stdin.on('error', () => undefined)
  return {
    run: (main, args, input = '') =>
      new Promise((resolve, reject) => {
        if (child.exitCode !== null) throw ended()
        waiting.push({ resolve, reject })
        child.stdin.write(`${JSON.stringify({ main, args, input })}\n`)
      }),
    close: () => end(child, orphan),
  }
}

async function end(child: ChildProcess, orphan: () => void): Promise<void> {
  process.off('exit', orphan)
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}
