import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { resolve } from 'node:path'
import type { ConfigOf, Settings } from '@tidewire/sdk'
import { brokerSettings } from '../broker/config.ts'
import { startBrokerThread } from '../broker/start-broker-thread.ts'
import { isProviderSetting } from '../config/config-providers.ts'
import { isConverterSetting } from '../config/connector-settings.ts'
import { logSecuritySettings } from '../config/log-security.ts'
import { parseRegistryConfig, registrySettings, type RegistryConfig } from '../config/registry-settings.ts'
import { parseWorkerConfig, workerSettings } from '../config/worker-settings.ts'
import { createProcessLogger, levelsFrom } from '../logging/logger.ts'
import { exitWith, UserError } from './fatal.ts'
import { gatewayName, quickstartConnectors, type ConnectorFile } from './quickstart.ts'
import { startRegistry, type RunningRegistry } from './registry.ts'
import { gatherSettings, parsePart, type SettingsSources } from './settings-sources.ts'
import { stopOnSignals } from './shutdown.ts'
import { startSettings } from './start-settings.ts'
import { version } from './version.ts'
import { startWorker, type RunningWorker } from './worker.ts'

type StartConfig = ConfigOf<typeof startSettings>

/** What the embedded worker has where the user says nothing: one machine, plain JSON, quick commits. */
const embeddedWorker: Readonly<Record<string, string>> = {
  'group.id': 'tidewire',
  'key.converter': 'json',
  'key.converter.schemas.enable': 'false',
  'value.converter': 'json',
  'value.converter.schemas.enable': 'false',
  'offset.flush.interval.ms': '5000',
  'config.storage.replication.factor': '1',
  'offset.storage.replication.factor': '1',
  'status.storage.replication.factor': '1',
  'assignment.storage.replication.factor': '1',
  'offset.storage.partitions': '1',
  'status.storage.partitions': '1',
}

const embeddedRegistry: Readonly<Record<string, string>> = { 'kafkastore.topic.replication.factor': '1' }

/** Settings that `start` decides itself: the parts of one process always find each other. */
const decidedHere = [
  'bootstrap.servers',
  'kafkastore.bootstrap.servers',
  ...Object.keys(logSecuritySettings).map((name) => `kafkastore.${name}`),
  'log.security.protocol',
  ...Object.keys(logSecuritySettings).filter((name) => !Object.hasOwn(brokerSettings, name)),
]

/**
 * `tidewire start`: the log in a thread of its own, the worker with REST in this one, tasks in theirs; then the
 * gateway and the quickstart's connectors. Returns when all is up; the process lives on until a signal.
 */
export async function start(sources: SettingsSources): Promise<void> {
  const begun = performance.now()
  const known: Settings = { ...registrySettings, ...workerSettings, ...brokerSettings, ...startSettings }
  const gathered = await gatherSettings(sources, known, isConverterSetting)
  for (const name of decidedHere) {
    if (name in gathered) throw new UserError(`${name} is decided by start; use tidewire log and tidewire worker apart`)
  }
  const config = parsePart(startSettings, gathered)
  const dataDir = resolve(config['data.dir'])
  const host = config['bind.address']
  const levels = levelsFrom(config['log.level'])
  const logger = createProcessLogger(levels)
  await expectFree(host, config['log.port'], 'log.port', 'the log')
  await expectFree(host, config['mqtt.port'], 'mqtt.port', 'the MQTT gateway')
  if (gathered['listeners'] === undefined) await expectFree(host, config['rest.port'], 'rest.port', 'REST')
  if (config['registry.enabled']) await expectFree(host, config['registry.port'], 'registry.port', 'the registry')

  const log = await startBrokerThread({
    host,
    port: config['log.port'],
    dataDir: resolve(dataDir, 'log'),
    config: parsePart(brokerSettings, gathered),
    logger: logger.child({ part: 'log' }),
  })
  // Without its log the platform is nothing; what was acknowledged is on disk, and the next start goes on from there.
  log.ended.catch(exitWith)
  const address = `${loopbackOf(host)}:${log.port}`
  let worker: RunningWorker | undefined
  let registry: RunningRegistry | undefined
  const close = async (): Promise<void> => {
    await Promise.all([registry?.close(), worker?.close()])
    await log.close()
  }
  try {
    worker = await startWorker(workerConfig(gathered, config, address), logger.child({ part: 'worker' }), undefined, {
      levels,
    })
    if (config['registry.enabled']) {
      const registryLogger = logger.child({ part: 'registry' })
      registry = await startRegistry(registryConfig(gathered, config, address), registryLogger, { whenAsked: true })
    }
    stopOnSignals(close, console.log)
    await deployAll(worker, config, dataDir)
  } catch (error) {
    await close()
    throw error
  }
  const tookMs = performance.now() - begun
  console.log(banner({ config, dataDir, logPort: log.port, restUrl: worker.url, registryUrl: registry?.url, tookMs }))
}

async function deployAll(worker: RunningWorker, config: StartConfig, dataDir: string): Promise<void> {
  const host = config['bind.address']
  const connectors = await quickstartConnectors({ host, mqttPort: config['mqtt.port'], dataDir })
  const wanted = connectors.filter(({ name }) => config.quickstart || name === gatewayName)
  await Promise.all(wanted.map(async (connector) => deploy(worker, connector)))
  await gatewayUp(worker, loopbackOf(host), config['mqtt.port'])
}

function workerConfig(gathered: Readonly<Record<string, string>>, config: StartConfig, log: string) {
  const raw = {
    ...embeddedWorker,
    listeners: `http://${bracketed(config['bind.address'])}:${config['rest.port']}`,
    ...Object.fromEntries(Object.entries(gathered).filter(([name]) => isForWorker(name) || isConverterSetting(name))),
    'bootstrap.servers': log,
  }
  const parsed = parseWorkerConfig(raw)
  const faults = Object.values(parsed.errors).flat()
  if (faults.length > 0) throw new UserError(faults.join('; '))
  return parsed
}

/** Its log-ins and its limits are those of REST; where it listens is said by settings of `start`. */
function registryConfig(gathered: Readonly<Record<string, string>>, config: StartConfig, log: string): RegistryConfig {
  const own = Object.entries(gathered).filter(([name]) => isForRegistry(name))
  // Whoever has REST encrypted has logged-in users here too.
  const protocol = gathered['listeners']?.includes('https://') === true ? 'https' : 'http'
  const parsed = parseRegistryConfig({
    ...embeddedRegistry,
    ...Object.fromEntries(own),
    'inter.instance.protocol': protocol,
    listeners: `${protocol}://${bracketed(config['bind.address'])}:${config['registry.port']}`,
    'kafkastore.bootstrap.servers': log,
  })
  const faults = Object.values(parsed.errors).flat()
  if (faults.length > 0) throw new UserError(faults.join('; '))
  return parsed.config
}

function isForRegistry(name: string): boolean {
  return Object.hasOwn(registrySettings, name) && name !== 'listeners' && !name.startsWith('ssl.')
}

/**
 * The worker reaches its log over loopback, in plain text: what secures the log's other listeners is not for it. Those of
 * REST have settings of their own, `listeners.https.ssl.*`.
 */
function isForWorker(name: string): boolean {
  if (isProviderSetting(name)) return true
  return Object.hasOwn(workerSettings, name) && !Object.hasOwn(logSecuritySettings, name) && !name.startsWith('ssl.')
}

/**
 * Creates what is not there. What is there stays as its user left it, save for the gateway's address, which belongs
 * to the platform.
 */
async function deploy(worker: RunningWorker, connector: ConnectorFile): Promise<void> {
  const stored = worker.herder.views.storedConfig(connector.name)
  if (stored === undefined) {
    await worker.putConfig(connector.name, connector.config)
    return
  }
  const placed = ['mqtt.host', 'mqtt.port', 'mqtt.server.uri'].filter((name) => name in connector.config)
  if (placed.every((name) => stored[name] === connector.config[name])) return
  const changed = Object.fromEntries(placed.map((name) => [name, connector.config[name]!]))
  await worker.putConfig(connector.name, { ...stored, ...changed })
}

/**
 * Waits until devices can connect, since "is up" says that they can. A gateway that its user has paused or stopped is
 * not waited for.
 * @throws UserError with the reason, where it failed
 */
async function gatewayUp(worker: RunningWorker, host: string, port: number): Promise<void> {
  for (;;) {
    const { connector, tasks } = worker.herder.views.status(gatewayName)
    for (const { state, trace } of [connector, ...tasks]) {
      if (state === 'PAUSED' || state === 'STOPPED') return
      if (state === 'FAILED')
        throw new UserError(`the MQTT gateway failed: ${trace?.split('\n')[0] ?? 'no reason given'}`)
    }
    if (await accepts(host, port)) return
    await sleep(5)
  }
}

async function accepts(host: string, port: number): Promise<boolean> {
  const socket = connect({ host: host.replaceAll(/[[\]]/g, ''), port })
  try {
    return await new Promise<boolean>((answer) => {
      socket.once('connect', () => answer(true)).once('error', () => answer(false))
    })
  } finally {
    socket.destroy()
  }
}

/**
 * Fails early, before anything is written, where a port is taken.
 * @throws UserError that names the port, who it is for and the flag to change it
 */
async function expectFree(host: string, port: number, setting: string, user: string): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolveListening, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE' ? 'is already in use' : `cannot be used (${error.code ?? error.message})`
      reject(
        new UserError(
          `port ${port} on ${host}, for ${user}, ${reason}; choose another with --${setting.replace('.', '-')}`,
        ),
      )
    })
    server.listen(port, host, resolveListening)
  })
  await new Promise((resolveClosed) => server.close(resolveClosed))
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** Where a process on this machine reaches a listener bound to `host`. */
function loopbackOf(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '[::1]' : bracketed(host)
}

function banner(up: {
  config: StartConfig
  dataDir: string
  logPort: number
  restUrl: string
  registryUrl: string | undefined
  tookMs: number
}): string {
  const host = loopbackOf(up.config['bind.address'])
  const mqtt = up.config['mqtt.port']
  const rest = urlAt(host, up.restUrl)
  const lines = [
    `Tidewire ${version} is up, in ${(up.tookMs / 1000).toFixed(2)} s. Ctrl-C stops it.`,
    '',
    `  log      ${host}:${up.logPort}   for any Kafka client`,
    `  REST     ${rest}   Kafka Connect's API; in a browser, the console`,
    ...(up.registryUrl === undefined
      ? []
      : [`  schemas  ${urlAt(host, up.registryUrl)}   the Confluent Schema Registry's API`]),
    `  MQTT     mqtt://${host}:${mqtt}   sensors/<device>/… goes to topic sensors, all else to topic mqtt`,
    `  data     ${up.dataDir}`,
    '',
  ]
  if (up.config.quickstart) {
    lines.push(
      `Quickstart: simulated sensors → MQTT → topic sensors → ${up.dataDir}/sensors.jsonl`,
      '',
      'Try next:',
      `  tail -f ${up.dataDir}/sensors.jsonl`,
    )
  } else {
    lines.push('Try next:')
  }
  lines.push(
    `  mosquitto_pub -p ${mqtt} -q 1 -t sensors/my-device/temperature -m '{"celsius": 21.5}'`,
    `  kcat -b ${host}:${up.logPort} -t sensors -C -o beginning -f '%k  %s\\n'`,
    `  curl '${rest}/connectors?expand=status'`,
    `  curl ${rest}/connector-plugins`,
  )
  return lines.join('\n')
}

function urlAt(host: string, url: string): string {
  const { protocol, port } = new URL(url)
  return `${protocol}//${host}:${port}`
}
