/**
 * The process to be measured: `server.ts own|aedes PORT COMMIT_MS`, or `server.ts source PORT COMMIT_MS VERSION`, which
 * subscribes at a broker. Prints a line when it is ready; the source also one a second with the records so far.
 */
import { createServer } from 'node:net'
import type { Source } from '@tidewire/sdk'
import { OffsetStore, parseConfig, type RawConfig } from '@tidewire/sdk/testing'
import plugin from '../../connectors/mqtt/index.ts'

const [kind, port, commitMs, version] = process.argv.slice(2)

/** Stands in for the log: after a pause, all that came meanwhile is durable, as with a group commit. */
class StandInLog {
  #waiting: (() => void)[] = []

  add(durable: () => void): void {
    if (Number(commitMs) === 0) {
      durable()
      return
    }
    this.#waiting.push(durable)
    if (this.#waiting.length > 1) return
    setTimeout(() => {
      for (const done of this.#waiting.splice(0)) done()
    }, Number(commitMs))
  }
}

async function own(name: 'mqtt-gateway' | 'mqtt-source', raw: RawConfig): Promise<void> {
  const source = plugin.connectors!.find((connector) => connector.name === name) as Source
  const log = (message: string): void => console.log(message)
  const offsets = new OffsetStore()
  const batches = await source.read({
    config: parseConfig(source, raw),
    connector: 'bench',
    task: 0,
    signal: new AbortController().signal,
    log: { debug: () => undefined, info: log, warn: log, error: log },
    maxBufferedBytes: 32 * 2 ** 20,
    holds: () => true,
    progress: () => undefined,
    followTopic: async () => undefined,
    preview: false,
    deadLetters: false,
    offsets: {
      get: async (partition) => offsets.get(partition),
      getAll: async (partitions) => partitions.map((partition) => offsets.get(partition)),
    },
  })
  const standIn = new StandInLog()
  let records = 0
  if (name === 'mqtt-source') setInterval(() => console.log(`records ${records}`), 100)
  for await (const batch of batches) {
    if (!('durable' in batch)) continue
    records += batch.records.length
    standIn.add(() => void batch.durable?.())
  }
}

/** The same job on aedes: authorizePublish is the one place where its PUBACK can be held back. */
async function aedes(): Promise<void> {
  const { Aedes } = await import('aedes')
  const standIn = new StandInLog()
  const broker = await Aedes.createBroker({
    authorizePublish: (_client, _packet, callback) => {
      standIn.add(() => callback(null))
    },
  })

  createServer({ noDelay: true }, broker.handle).listen(Number(port), '127.0.0.1', () => console.log('listens'))
}

const source = {
  'mqtt.server.uri': `tcp://127.0.0.1:${port}`,
  'mqtt.topics': 'sensors/{device}/#',
  'kafka.topic': 'sensors',
  ...(version === undefined ? {} : { 'mqtt.version': version }),
}
if (kind === 'aedes') await aedes()
else if (kind === 'source') await own('mqtt-source', source)
else await own('mqtt-gateway', { 'mqtt.port': Number(port) })
