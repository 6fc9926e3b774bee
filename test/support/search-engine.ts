/** What the search engines of the tests have in common: the JDK they run on, their process, and a way to ask them. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, realpathSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { request as plainRequest } from 'node:http'
import { delimiter, dirname, join } from 'node:path'
import { endWithTest } from './end-with-test.ts'
import { cacheFolder } from './kafka.ts'
import { until } from './until.ts'

export interface TestEngine {
  readonly engine: 'elasticsearch' | 'opensearch'
  /** As `GET /` tells it. */
  readonly version: string
  /** `http://127.0.0.1:4711` */
  readonly url: string
  /** The certificate authority of its server, in PEM, where it has one. */
  readonly ca: string | undefined
  /**
   * Asks it, as its superuser where it has users.
   * @param body a value to be written as JSON, or lines of it that are written
   * @returns what it answered, parsed
   * @throws Error with its answer, where the status is 400 or more
   */
  ask<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T>
  /** SIGKILL; undefined for an engine that is not ours to kill. */
  readonly kill: (() => Promise<void>) | undefined
  /** Starts it again on its data and its port, after `kill` or in place of what runs. */
  restart(): Promise<void>
  /** Ends it and removes its data. */
  close(): Promise<void>
}

export interface Jdk {
  readonly home: string
  readonly major: number
}

/**
 * The newest JDK of this machine, of `JAVA_HOME`, of the path, and of where Debian keeps them.
 * @throws Error where there is none from 17 on, which is the least that a current search engine asks for
 */
export async function newestJdk(): Promise<Jdk> {
  const debian = '/usr/lib/jvm'
  const installed = existsSync(debian) ? (await readdir(debian)).map((name) => join(debian, name)) : []
  const onPath = (process.env['PATH'] ?? '').split(delimiter).flatMap((folder) => {
    const compiler = join(folder, 'javac')
    return existsSync(compiler) ? [dirname(dirname(realpathSync(compiler)))] : []
  })
  const homes = [process.env['JAVA_HOME'] ?? [], onPath, installed].flat()
  const found = await Promise.all(homes.map(async (home) => ({ home, major: await majorOf(home) })))
  const [newest] = found.filter(({ major }) => major >= 17).sort((a, b) => b.major - a.major)
  if (newest === undefined) throw new Error('no JDK of version 17 or later')
  return newest
}

async function majorOf(home: string): Promise<number> {
  if (!existsSync(join(home, 'bin', 'javac'))) return 0
  const release = await readFile(join(home, 'release'), 'utf8').catch(() => '')
  return Number(/^JAVA_VERSION="(\d+)/m.exec(release)?.[1] ?? 0)
}

/** Makes a folder of the cache, once: aside, so that one that is there is whole. */
export async function cached(name: string, make: (work: string) => Promise<void>): Promise<string> {
  const folder = join(cacheFolder(), name)
  if (existsSync(folder)) return folder
  await mkdir(cacheFolder(), { recursive: true })
  const work = await mkdtemp(join(cacheFolder(), 'fetching-'))
  try {
    await make(work)
    // Whoever else made it meanwhile was as good.
    await rename(work, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return folder
}

/** How to speak to an engine. */
export interface EngineAddress {
  readonly url: string
  readonly ca?: string | undefined
  readonly login?: { readonly username: string; readonly password: string } | undefined
}

/** A process and those that it started, of which the engine is one. */
export interface EngineProcess {
  start(): Promise<void>
  kill(): Promise<void>
}

/** @param launch gives the command, which answers at the address soon after it has been started */
export function engineProcess(
  address: EngineAddress,
  launch: {
    readonly command: string
    readonly args: readonly string[]
    readonly env: NodeJS.ProcessEnv
    readonly cwd: string
    /** Whom to run it as; undefined for the user of this process. */
    readonly user: { readonly uid: number; readonly gid: number } | undefined
  },
): EngineProcess {
  let child: ChildProcess | undefined
  const hasEnded = (): boolean => child === undefined || child.exitCode !== null || child.signalCode !== null
  return {
    start: async () => {
      const { command, args, env, cwd, user } = launch
      let output = ''
      // A group of its own: what is started first may only be what starts and watches the engine.
      const started = spawn(command, args, { env, cwd, ...user, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
      child = started
      endWithTest(started, { detached: true })
      for (const stream of [started.stdout, started.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-20_000)))
      }
      const answers = async (): Promise<boolean> => {
        if (hasEnded()) throw new Error(`${command} ended with ${started.exitCode ?? started.signalCode}\n${output}`)
        const health = '/_cluster/health?wait_for_status=yellow&timeout=1s'
        return askEngine(address, 'GET', health).then(
          () => true,
          () => false,
        )
      }
      await until(`a search engine to answer at ${address.url}`, answers, 170_000)
    },
    kill: async () => {
      if (child?.pid === undefined || hasEnded()) return
      const exit = once(child, 'close')
      process.kill(-child.pid, 'SIGKILL')
      await exit
    },
  }
}

/** See {@link TestEngine.ask}. */
export async function askEngine<T>(address: EngineAddress, method: string, path: string, body?: unknown): Promise<T> {
  const { url, ca, login } = address
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  const headers: Record<string, string> = {
    ...(text !== undefined && {
      'content-type': path.includes('_bulk') ? 'application/x-ndjson' : 'application/json',
      'content-length': String(Buffer.byteLength(text)),
    }),
    ...(login && {
      authorization: `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`,
    }),
  }
  const secure = url.startsWith('https:')
  const agent = secure ? new Agent({ ca }) : undefined
  const sent = (secure ? request : plainRequest)(url + path, { method, headers, agent })
  sent.end(text)
  const [response] = (await once(sent, 'response')) as [AsyncIterable<Buffer> & { statusCode: number }]
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece)
  agent?.destroy()
  const answer = Buffer.concat(pieces).toString()
  if (response.statusCode >= 400) throw new Error(`${method} ${path}: ${response.statusCode} ${answer}`)
  return (answer === '' ? undefined : JSON.parse(answer)) as T
}

/** An engine that somebody else runs, at an address that the environment gave. */
export async function foreignEngine(engine: TestEngine['engine'], url: string): Promise<TestEngine> {
  const address = { url: url.replace(/\/$/, '') }
  return {
    ...{ engine, url: address.url, ca: undefined, kill: undefined },
    version: await versionOf(address),
    ask: (method, path, body) => askEngine(address, method, path, body),
    restart: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}

export async function versionOf(address: EngineAddress): Promise<string> {
  const { version } = await askEngine<{ version: { number: string } }>(address, 'GET', '/')
  return version.number
}
