import { setTimeout as sleep } from 'node:timers/promises'
import { readConnectorFiles, type ConnectorFile } from '../cli/connector-files.ts'
import type { TargetState } from '../herder/config-records.ts'
import type { Herder } from '../herder/herder.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import { isElsewhere } from '../rest/rest-error.ts'
import { UserError } from './fatal.ts'
import { stopOnSignals } from './shutdown.ts'
import type { SettingsSources } from './settings-sources.ts'
import { startWorker } from './worker.ts'
import { readWorkerSettings } from './worker-command.ts'

/** State of its own in the log, apart from any cluster's, and no waiting for other workers. */
const defaults: Readonly<Record<string, string>> = {
  'group.id': 'connect-standalone',
  'config.storage.topic': 'connect-standalone-configs',
  'offset.storage.topic': 'connect-standalone-offsets',
  'status.storage.topic': 'connect-standalone-status',
  'assignment.storage.topic': 'connect-standalone-assignments',
  'offset.storage.partitions': '1',
  'status.storage.partitions': '1',
  'scheduled.rebalance.max.delay.ms': '0',
}

/** Kafka Connect's file of offsets, which are in the log here. */
const offsetsFile = 'offset.storage.file.filename'
const leaderWaitMs = 60_000

/**
 * `tidewire standalone`: one worker, whose connectors are those of the files, as connect-standalone has it. Configs,
 * offsets and states are in the log all the same. A connector of an earlier start that is in none of the files is stopped.
 * @param takesWrites whether REST may change them, as connect-standalone's may; the files decide again at the next start
 * @throws UserError where a config is wrong, or another worker has the same `group.id`
 */
export async function runStandalone(
  sources: SettingsSources,
  paths: readonly string[],
  takesWrites: boolean,
): Promise<void> {
  const files = await readConnectorFiles(paths)
  const { parsed, gathered, logger, levels } = await readWorkerSettings(sources, defaults, [offsetsFile])
  if (gathered[offsetsFile] !== undefined) {
    const topic = parsed.config['offset.storage.topic']
    logger.warn(`${offsetsFile} has no effect: offsets are kept in topic ${topic}, and what the file has is not read`)
  }
  const worker = await startWorker(parsed, logger, undefined, { filesOnly: !takesWrites, levels })
  try {
    expectAlone(worker.herder, parsed.config['group.id'])
    await deploy(worker.herder, files, logger)
  } catch (error) {
    await worker.close()
    throw error
  }
  stopOnSignals(async () => worker.close(), console.log)
  const names = files.map(({ name }) => name).join(', ')
  console.log(
    `The worker is up, with ${names}: REST${takesWrites ? '' : ', for looking only,'} on ${worker.url}. Ctrl-C stops it.`,
  )
}

function expectAlone({ cluster, workerId }: Herder, groupId: string): void {
  const other = cluster.workers.find((worker) => worker.workerId !== workerId && worker.awayUntil === undefined)
  if (other === undefined) return
  throw new UserError(
    `worker ${other.workerId} has group.id ${groupId} too: give this one another group.id, and topics of its own`,
  )
}

async function deploy(herder: Herder, files: readonly ConnectorFile[], logger: Logger): Promise<void> {
  const wanted = new Set(files.map(({ name }) => name))
  for (const name of herder.views.names()) {
    if (wanted.has(name) || herder.views.stored(name).targetState === 'STOPPED') continue
    logger.warn('this connector is in none of the files, and is stopped', { connector: name })
    await asLeader(() => herder.writes.setTargetState(name, 'STOPPED'))
  }
  for (const file of files) {
    try {
      await put(herder, file)
    } catch (error) {
      throw new UserError(`${file.path}: connector ${file.name}: ${messageOf(error)}`, { cause: error })
    }
  }
}

const targetStates = { RUNNING: 'STARTED', PAUSED: 'PAUSED', STOPPED: 'STOPPED' } as const

async function put({ writes, views }: Herder, { name, config: given, initialState = 'RUNNING' }: ConnectorFile) {
  const config = Object.fromEntries(Object.entries(given).map(([setting, value]) => [setting, String(value)]))
  const state: TargetState = targetStates[initialState]
  const stored = views.storedConfig(name)
  if (stored === undefined) {
    await asLeader(() => writes.create(name, { ...config, name }, state))
    return
  }
  if (!isSame(stored, { ...config, name })) await asLeader(() => writes.putConfig(name, { ...config, name }))
  await asLeader(() => writes.setTargetState(name, state))
}

/** What runs already as its file says is left alone. */
function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name])
}

/** A worker that is alone leads, though not in its first moments. */
async function asLeader(work: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + leaderWaitMs
  for (;;) {
    try {
      await work()
      return
    } catch (error) {
      if (!isElsewhere(error) || performance.now() > deadline) throw error
    }
    await sleep(50)
  }
}
