/**
 * A real Apache Kafka for tests and benchmarks: the independent judge of what we speak. From `KAFKA_BOOTSTRAP` where
 * that is set; else Kafka's own jars from Maven Central, started as a child process (KRaft, one node).
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createClient } from '../../core/src/client/log-client.ts'
import { endWithTest } from './end-with-test.ts'
import { freePorts } from './tidewire.ts'
import { until } from './until.ts'

const run = promisify(execFile)

const KAFKA_VERSION = '4.3.1'
const LOG4J_VERSION = '2.25.3'
const COPY_GOAL = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'

export interface TestKafkaOptions {
  /** Further listeners, as Kafka writes them, and settings. */
  readonly listeners?: readonly string[]
  readonly settings?: Readonly<Record<string, string>>
  /** Arguments of the format command that make SCRAM users. */
  readonly users?: readonly string[]
  /** Options of the virtual machine. Default: what starts soon and takes little. */
  readonly java?: readonly string[]
}

export interface TestKafka {
  readonly address: string
  /** undefined for a Kafka that is not ours. */
  readonly pid: () => number | undefined
  /** SIGKILL; undefined for a Kafka that is not ours to kill. */
  readonly kill: (() => Promise<void>) | undefined
  /** Starts it again on its data and its port. */
  readonly restart: () => Promise<void>
  readonly close: () => Promise<void>
}

/** Why there is no Kafka to test with on this machine; undefined where there is one. */
export async function kafkaMissing(): Promise<string | undefined> {
  if (process.env['KAFKA_BOOTSTRAP'] !== undefined) return undefined
  for (const tool of ['java', 'mvn']) {
    try {
      await run(tool, ['-version'])
    } catch {
      const reason = `no KAFKA_BOOTSTRAP, and no ${tool} to run Kafka with`
      if (process.env['TIDEWIRE_REQUIRE_KAFKA'] === '1') throw new Error(reason)
      return reason
    }
  }
  return undefined
}

/** Why there is none that a test may kill or set up in its own way; undefined where there is one. */
export async function ownKafkaMissing(): Promise<string | undefined> {
  return process.env['KAFKA_BOOTSTRAP'] === undefined ? kafkaMissing() : 'the Kafka of KAFKA_BOOTSTRAP is not ours'
}

export async function testKafka(options: TestKafkaOptions = {}): Promise<TestKafka> {
  const given = process.env['KAFKA_BOOTSTRAP']
  if (given !== undefined) return foreignKafka(given)
  const { java: jvm = ['-Xmx512M', '-XX:TieredStopAtLevel=1'], users = [], listeners = [], settings = {} } = options
  const libs = await kafkaLibs()
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-kafka-'))
  const [port, controllerPort] = (await freePorts(2)) as [number, number]
  const properties = join(folder, 'server.properties')
  const more = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  await writeFile(properties, serverProperties(folder, port, controllerPort, listeners) + more.join(''))
  const java = (...args: string[]): string[] => [...jvm, '-cp', join(libs, '*'), ...args]
  await run('java', java('kafka.tools.StorageTool', 'format', '--standalone', '-t', uuid(), '-c', properties, ...users))
  let child: ChildProcess | undefined
  const start = async (): Promise<void> => {
    child = spawn('java', java('kafka.Kafka', properties), { stdio: 'ignore' })
    endWithTest(child)
    await ready(`127.0.0.1:${port}`, child)
  }
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    if (child?.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }
  await start()
  return {
    address: `127.0.0.1:${port}`,
    pid: () => child?.pid,
    kill: () => stop('SIGKILL'),
    restart: start,
    close: async () => {
      await stop('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function foreignKafka(address: string): TestKafka {
  const nothing = (): Promise<void> => Promise.resolve()
  return { address, pid: () => undefined, kill: undefined, restart: nothing, close: nothing }
}

async function ready(address: string, child: ChildProcess): Promise<void> {
  const client = createClient({ bootstrapServers: [address], clientId: 'test-kafka' })
  const ended = once(child, 'exit').then(() =>
    Promise.reject(new Error(`Kafka ended with code ${String(child.exitCode)}`)),
  )
  try {
    // The client gives up after a minute, within which a JVM on a loaded machine may not have come up.
    const answer = () => Promise.race([client.admin.clusterId().catch(() => undefined), ended])
    await until(`Kafka to answer on ${address}`, answer, 170_000)
  } finally {
    await client.close()
  }
}

/** Where what tests need and npm does not have is kept: in the environment's `TIDEWIRE_CACHE`, else with the temporary files. */
export function cacheFolder(): string {
  return process.env['TIDEWIRE_CACHE'] ?? join(tmpdir(), 'tidewire-cache')
}

/** The folder of the jars of Kafka's server, fetched once and kept. */
function kafkaLibs(): Promise<string> {
  return fetchLibs(`kafka-${KAFKA_VERSION}`, [['org.apache.kafka', 'kafka_2.13', KAFKA_VERSION]])
}

/** The same for Kafka's command-line tools, which include the clients and what reads a data directory. */
export function kafkaToolLibs(): Promise<string> {
  return fetchLibs(`kafka-tools-${KAFKA_VERSION}`, [
    ['org.apache.kafka', 'kafka_2.13', KAFKA_VERSION],
    ['org.apache.kafka', 'kafka-tools', KAFKA_VERSION],
  ])
}

/** The same for a Kafka Connect worker, with its converters and the file connectors. */
export function kafkaConnectLibs(): Promise<string> {
  const artifacts = ['connect-runtime', 'connect-json', 'connect-transforms', 'connect-file']
  return fetchLibs(
    `kafka-connect-${KAFKA_VERSION}`,
    artifacts.map((each): Artifact => ['org.apache.kafka', each, KAFKA_VERSION]),
  )
}

/** The same for Kafka Connect's JSON converter, and for Avro's and Protobuf's own libraries. */
export function formatLibs(): Promise<string> {
  return fetchLibs(`formats-${KAFKA_VERSION}`, [
    ['org.apache.kafka', 'connect-json', KAFKA_VERSION],
    ['org.apache.avro', 'avro', '1.12.1'],
    ['com.google.protobuf', 'protobuf-java', '4.29.3'],
  ])
}

/** Group, artifact and version, as Maven has them. */
type Artifact = readonly [group: string, artifact: string, version: string]

async function fetchLibs(name: string, artifacts: readonly Artifact[]): Promise<string> {
  const cache = cacheFolder()
  const libs = join(cache, name)
  if (existsSync(libs)) return libs
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, 'fetching-'))
  await writeFile(join(work, 'pom.xml'), pom(artifacts))
  const output = join(work, 'libs')
  await run('mvn', [
    '-B',
    '-q',
    '-f',
    join(work, 'pom.xml'),
    COPY_GOAL,
    '-DincludeScope=runtime',
    `-DoutputDirectory=${output}`,
  ])
  // Whoever else fetched it meanwhile was as good.
  await rename(output, libs).catch(() => undefined)
  await rm(work, { recursive: true, force: true })
  return libs
}

function pom(artifacts: readonly Artifact[]): string {
  const log4j = ['log4j-api', 'log4j-core', 'log4j-slf4j-impl'].map((each): Artifact => [
    'org.apache.logging.log4j',
    each,
    LOG4J_VERSION,
  ])
  const dependencies = [...artifacts, ...log4j].map(
    ([group, artifact, version]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  )
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tidewire</groupId><artifactId>test-kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join('')}</dependencies></project>`
}

function serverProperties(folder: string, port: number, controllerPort: number, more: readonly string[]): string {
  const all = [`PLAINTEXT://127.0.0.1:${port}`, `CONTROLLER://127.0.0.1:${controllerPort}`, ...more]
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
    listeners: all.join(','),
    'advertised.listeners': all.join(','),
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': false,
    // Tests write records of 1970, which the first look, half a minute after the start, would take away.
    'log.retention.ms': -1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'group.initial.rebalance.delay.ms': 0,
    // So that one that was killed may register again soon.
    'broker.session.timeout.ms': 1_000,
    'broker.heartbeat.interval.ms': 200,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

// The first bits are fixed: an id that begins with a hyphen would be taken for an option.
const uuid = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(16)).fill(0, 0, 1)).toString('base64url')
