/** Kafka's own command-line tools, from Maven Central: the Java client as its users know it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { endWithTest } from './end-with-test.ts'
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
  endWithTest(child)
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-10_000)))
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.resolve(JSON.parse(line) as ToolRun))
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null
  const ended = (): Error => new Error(`java ended with ${String(child.exitCode ?? child.signalCode)}:\n${log}`)
  child.on('exit', () => {
    for (const { reject } of waiting.splice(0)) reject(ended())
  })
  child.stdin.on('error', () => undefined)
  return {
    run: (main, args, input = '') =>
      new Promise((resolve, reject) => {
        if (hasEnded()) throw ended()
        waiting.push({ resolve, reject })
        child.stdin.write(`${JSON.stringify({ main, args, input })}\n`)
      }),
    close: () => end(child),
  }
}

/** Kafka's tools on one log, each by the name of its class: of `org.apache.kafka.tools` where it names no package. */
export interface LogTools {
  /** As `kafka-….sh --bootstrap-server …` would. @param at another address than the log's first */
  readonly run: (tool: string, args: string, input?: string, at?: string) => Promise<ToolRun>
  /** Expects it to succeed, and gives what it printed. */
  readonly ok: (tool: string, args: string, input?: string) => Promise<string>
  /** Expects it to fail, and gives what it complained of. */
  readonly refused: (tool: string, args: string) => Promise<string>
}

/** @param tools given late, as is the address: a test starts both after it has said what it does with them */
export function toolsOn(tools: () => JavaTools, address: () => string): LogTools {
  const run: LogTools['run'] = (tool, args, input, at = address()) => {
    const main = tool.startsWith('kafka.') ? tool : `org.apache.kafka.tools.${tool}`
    return tools().run(main, ['--bootstrap-server', at, ...args.split(' ').filter(Boolean)], input)
  }
  const ending = async (expected: number, tool: string, args: string, input?: string): Promise<ToolRun> => {
    const ran = await run(tool, args, input)
    expect(ran.code, `${tool} ${args}\n${ran.out}${ran.err}`).toBe(expected)
    return ran
  }
  return {
    run,
    ok: async (tool, args, input) => (await ending(0, tool, args, input)).out,
    refused: async (tool, args) => {
      const { out, err } = await ending(1, tool, args)
      return out + err
    },
  }
}

export function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}

/** The rows of a table by its headings. */
export function tableOf(text: string): Record<string, string>[] {
  const [names = [], ...rows] = linesOf(text).map((line) => line.trim().split(/\s+/))
  return rows.map((cells) => Object.fromEntries(names.map((name, i) => [name, cells[i] ?? ''] as const)))
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}
