/** Entry of an errand's thread; see errand-messages.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import { ConfigProviders } from '../config/config-providers.ts'
import { Secrets } from '../config/secrets.ts'
import { loadConnector } from '../plugin/load.ts'
import type { ErrandBirth, ErrandMessage, PreviewedRecord, RedrivenLetter } from './errand-messages.ts'
import { thrownError } from './host-messages.ts'
import { listLetters } from './list-letters.ts'
import { logClients } from './log-clients.ts'
import { offsetsErrand } from './offsets-errand.ts'
import { preview } from './preview.ts'
import { redrive } from './redrive.ts'
import { noteSecrets, resolveTask, scrubbedLogger } from './resolve-task.ts'
import { threadLogger } from './thread-logger.ts'
import { tryOut } from './try-out.ts'

const port = parentPort!
const birth = workerData as ErrandBirth
const abort = new AbortController()

const post = (message: ErrandMessage): void => port.postMessage(message)
const secrets = new Secrets()
const fail = (error: unknown): void => post({ kind: 'failed', error: thrownError(secrets.scrubAll(error)) })

const logger = scrubbedLogger(
  threadLogger((line) => post({ kind: 'log', ...line })),
  secrets,
).child({
  connector: birth.errand.spec.connector,
  errand: birth.kind,
})

port.on('message', () => abort.abort())
process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)

async function run(): Promise<void> {
  const { settings, errand } = birth
  const inTime = AbortSignal.timeout(errand.timeoutMs)
  post({ kind: 'begun' })
  const spec = await resolveTask(errand.spec, new ConfigProviders(settings.configProviders), secrets)
  await noteSecrets(secrets, spec, (await loadConnector(spec.plugin)).config)
  const around = {
    settings,
    logger,
    openClient: await logClients(settings, logger),
    /** Also when the time of the errand is over. */
    signal: AbortSignal.any([abort.signal, inTime]),
  }
  switch (birth.kind) {
    case 'preview': {
      const onRecord = (record: PreviewedRecord): void =>
        post({ kind: 'item', item: { ...record, errors: secrets.scrubAll(record.errors) } })
      post({ kind: 'end', end: secrets.scrubAll(await preview({ ...birth.errand, spec }, around, onRecord)) })
      break
    }
    case 'try':
      post({ kind: 'end', end: secrets.scrubAll(await tryOut({ ...birth.errand, spec }, around)) })
      break
    case 'list':
      post({
        kind: 'end',
        end: await listLetters({ ...birth.errand, spec }, around, (item) => post({ kind: 'item', item })),
      })
      break
    case 'offsets':
      post({ kind: 'end', end: await offsetsErrand({ ...birth.errand, spec }, around) })
      break
    case 'redrive': {
      const onLetter = (letter: RedrivenLetter): void => post({ kind: 'item', item: secrets.scrubAll(letter) })
      post({ kind: 'end', end: secrets.scrubAll(await redrive({ ...birth.errand, spec }, around, onLetter)) })
      break
    }
  }
}

run().catch(fail)
