/**
 * A real Elasticsearch for tests and benchmarks: the one at `ELASTICSEARCH_URL` where that is set; else Elastic's own
 * server from Maven Central (the distribution that plugins are tested with), fetched once and kept, each started with
 * data and a port of its own. It lacks what are modules of their own: scripts, reindexing, ingest processors, API keys.
 * Started as root, it runs as the user nobody.
 */
import { execFile } from 'node:child_process'
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  askEngine,
  cached,
  engineProcess,
  foreignEngine,
  newestJdk,
  versionOf,
  type EngineAddress,
  type Jdk,
  type TestEngine,
} from './search-engine.ts'
import { missingProgram } from './programs.ts'
import { makeCertificates } from './security.ts'
import { freePorts } from './tidewire.ts'

const run = promisify(execFile)

const COPY_GOAL = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy'

/** Whom the tests are when they ask one that has users. */
export const superuser = { username: 'test-superuser', password: 'test-password' } as const

export interface TestElasticsearchOptions {
  /** Settings of elasticsearch.yml besides those that every one gets; the same names win. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>
  /** Users, by name, besides {@link superuser}. Left out: it has none, and asks for no login. */
  readonly users?: Readonly<Record<string, { readonly password: string; readonly roles: readonly string[] }>>
  /** Roles besides those that Elasticsearch has, by name, as its API takes them. */
  readonly roles?: Readonly<Record<string, unknown>>
  /** Whether it speaks https; asks for users. Default false. */
  readonly tls?: boolean
}

/** Why there is no Elasticsearch to test with on this machine; undefined where there is one. */
export async function elasticsearchMissing(): Promise<string | undefined> {
  if (process.env['ELASTICSEARCH_URL'] !== undefined) return undefined
  return engineMissing()
}

/** Why there is none that a test may kill or set up in its own way; undefined where there is one. */
export async function ownElasticsearchMissing(): Promise<string | undefined> {
  return process.env['ELASTICSEARCH_URL'] === undefined
    ? elasticsearchMissing()
    : 'the Elasticsearch of ELASTICSEARCH_URL is not ours'
}

/** The same for a machine, of either engine: what runs one runs the other. */
export async function engineMissing(): Promise<string | undefined> {
  try {
    await newestJdk()
    return await missingProgram(['mvn', '-version'])
  } catch (error) {
    const reason = `no search engine can run here: ${(error as Error).message}`
    if (process.env['TIDEWIRE_REQUIRE_ELASTICSEARCH'] === '1') throw new Error(reason, { cause: error })
    return reason
  }
}

export async function startElasticsearch(options: TestElasticsearchOptions = {}): Promise<TestEngine> {
  const given = process.env['ELASTICSEARCH_URL']
  if (given !== undefined) return foreignEngine('elasticsearch', given)
  const { settings = {}, tls = false, users = tls ? {} : undefined, roles = {} } = options
  const jdk = await newestJdk()
  const home = await fetchElasticsearch()
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-elasticsearch-'))
  const [port, transportPort] = (await freePorts(2)) as [number, number]
  const config = join(folder, 'config')
  await cp(join(home, 'config'), config, { recursive: true })
  const certificates = tls ? await makeCertificates(config) : undefined
  if (certificates !== undefined) await splitPem(certificates.serverFile, config)
  const all = {
    'cluster.name': 'test',
    'node.name': 'test-1',
    'network.host': '127.0.0.1',
    'http.port': port,
    'transport.port': transportPort,
    'discovery.type': 'single-node',
    'path.data': join(folder, 'data'),
    'path.logs': join(folder, 'logs'),
    'cluster.routing.allocation.disk.threshold_enabled': false,
    'action.destructive_requires_name': false,
    'xpack.security.enabled': users !== undefined,
    ...(tls && {
      'xpack.security.http.ssl.enabled': true,
      'xpack.security.http.ssl.key': 'http.key',
      'xpack.security.http.ssl.certificate': 'http.crt',
    }),
    ...settings,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
  await writeFile(join(config, 'elasticsearch.yml'), lines.join(''))
  await writeFile(
    join(config, 'jvm.options.d', 'test.options'),
    '-Xms512m\n-Xmx512m\n-XX:TieredStopAtLevel=1\n-Xlog:disable\n',
  )
  if (users !== undefined) await writeUsers(config, users, roles)
  await mkdir(join(folder, 'tmp'))
  const user = process.getuid?.() === 0 ? await nobody() : undefined
  if (user !== undefined) await run('chown', ['-R', `${user.uid}:${user.gid}`, folder])
  const address: EngineAddress = {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    ca: certificates?.ca,
    login: users && superuser,
  }
  const server = engineProcess(address, {
    command: join(home, 'bin', 'elasticsearch'),
    args: [],
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      ES_JAVA_HOME: jdk.home,
      ES_PATH_CONF: config,
      ES_TMPDIR: join(folder, 'tmp'),
      // Of what starts the server; its own options are in its config.
      CLI_JAVA_OPTS: `-Djava.io.tmpdir=${join(folder, 'tmp')} -XX:TieredStopAtLevel=1 -XX:-UsePerfData`,
    },
    cwd: folder,
    user,
  })
  await server.start()
  return {
    ...{ engine: 'elasticsearch', url: address.url, ca: certificates?.ca },
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

/** The newest that the machine's JDK can run. */
function versionFor(jdk: Jdk): string {
  return jdk.major >= 21 ? '9.5.3' : '8.19.21'
}

/** Its folder. Half a minute where it has to be fetched: CI calls this before the tests. */
export async function fetchElasticsearch(): Promise<string> {
  const jdk = await newestJdk()
  const version = versionFor(jdk)
  const folder = await cached(`elasticsearch-${version}`, async (work) => {
    // Its user may be another one than whoever fetched it.
    await chmod(work, 0o755)
    const artifact = `org.elasticsearch.distribution.integ-test-zip:elasticsearch:${version}:zip`
    await run('mvn', ['-B', '-q', COPY_GOAL, `-Dartifact=${artifact}`, `-DoutputDirectory=${work}`], { cwd: work })
    const archive = join(work, `elasticsearch-${version}.zip`)
    await run(join(jdk.home, 'bin', 'jar'), ['xf', archive], { cwd: work })
    await rm(archive)
    const home = join(work, `elasticsearch-${version}`)
    for (const name of await readdir(join(home, 'bin'))) await chmod(join(home, 'bin', name), 0o755)
    await addRootEndpoint(jdk, home, version)
  })
  return join(folder, `elasticsearch-${version}`)
}

/** The distribution lacks the module that answers `GET /`, by which clients know what they speak to. */
async function addRootEndpoint(jdk: Jdk, home: string, version: string): Promise<void> {
  const module = join(home, 'modules', 'tidewire-root')
  const classes = join(module, 'classes')
  await mkdir(classes, { recursive: true })
  const major = version.split('.')[0]!
  const sources = ['RootEndpoint', `RootEndpointPlugin${major}`].map((name) =>
    fileURLToPath(new URL(`java/elasticsearch/${name}.java`, import.meta.url)),
  )
  await run(join(jdk.home, 'bin', 'javac'), [
    ...['--release', jdk.major >= 21 ? '21' : '17', '-cp', join(home, 'lib', '*'), '-d', classes],
    ...sources,
  ])
  await run(join(jdk.home, 'bin', 'jar'), ['cf', join(module, 'tidewire-root.jar'), '-C', classes, '.'])
  await rm(classes, { recursive: true })
  const descriptor = {
    name: 'tidewire-root',
    description: 'Answers GET /',
    version,
    'elasticsearch.version': version,
    'java.version': 17,
    classname: `tidewire.test.RootEndpointPlugin${major}`,
  }
  const lines = Object.entries(descriptor).map(([name, value]) => `${name}=${value}\n`)
  await writeFile(join(module, 'plugin-descriptor.properties'), lines.join(''))
}

/** A file of a certificate that has anything else in it, it does not read. */
async function splitPem(file: string, folder: string): Promise<void> {
  const text = await readFile(file, 'utf8')
  const certificate = text.indexOf('-----BEGIN CERTIFICATE')
  await writeFile(join(folder, 'http.key'), text.slice(0, certificate))
  await writeFile(join(folder, 'http.crt'), text.slice(certificate))
}

/** Its own commands write these files too, each with the start of a virtual machine. */
async function writeUsers(
  config: string,
  users: NonNullable<TestElasticsearchOptions['users']>,
  roles: NonNullable<TestElasticsearchOptions['roles']>,
): Promise<void> {
  const { username, password } = superuser
  const all = Object.entries({ ...users, [username]: { password, roles: ['superuser'] } })
  const holders = new Map<string, string[]>()
  for (const [name, user] of all) {
    for (const role of user.roles) holders.set(role, [...(holders.get(role) ?? []), name])
  }
  const files = {
    users: all.map(([name, user]) => `${name}:${hashed(user.password)}`),
    users_roles: [...holders].map(([role, names]) => `${role}:${names.join(',')}`),
    // JSON is YAML.
    'roles.yml': Object.entries(roles).map(([name, role]) => `${name}: ${JSON.stringify(role)}`),
  }
  for (const [name, lines] of Object.entries(files)) await writeFile(join(config, name), `${lines.join('\n')}\n`)
}

function hashed(password: string): string {
  const [rounds, salt] = [1_000, randomBytes(32)]
  const hash = pbkdf2Sync(password, salt, rounds, 32, 'sha512')
  return `{PBKDF2}${rounds}$${salt.toString('base64')}$${hash.toString('base64')}`
}

async function nobody(): Promise<{ uid: number; gid: number }> {
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const found = users.find(([name]) => name === 'nobody')
  if (found === undefined) throw new Error('there is no user nobody to run Elasticsearch as')
  return { uid: Number(found[2]), gid: Number(found[3]) }
}
