/** Entry of an errand's thread; see errand-messages.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import type { ErrandBirth, ErrandMessage } from './errand-messages.ts'
import { thrownError } from './host-messages.ts'
import { listLetters } from './list-letters.ts'
import { logClients } from './log-clients.ts'
import { preview } from './preview.ts'
import { redrive } from './redrive.ts'
import { threadLogger } from './thread-logger.ts'

const port = parentPort!
const birth = workerData as ErrandBirth
const abort = new AbortController()

const post = (message: ErrandMessage): void => port.postMessage(message)
const fail = (error: unknown): void => post({ kind: 'failed', error: thrownError(error) })

const logger = threadLogger((line) => post({ kind: 'log', ...line })).child({
  connector: birth.errand.spec.connector,
  errand: birth.kind,
})

port.on('message', () => abort.abort())
process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)

async function run(): Promise<void> {
  const { settings, errand } = birth
  const around = {
    settings,
    logger,
    openClient: await logClients(settings, logger),
    /** Also when the time of the errand is over. */
    signal: AbortSignal.any([abort.signal, AbortSignal.timeout(errand.timeoutMs)]),
  }
  switch (birth.kind) {
    case 'preview':
      post({ kind: 'end', end: await preview(birth.errand, around, (item) => post({ kind: 'item', item })) })
      break
    case 'list':
      post({ kind: 'end', end: await listLetters(birth.errand, around, (item) => post({ kind: 'item', item })) })
      break
    case 'redrive':
      post({ kind: 'end', end: await redrive(birth.errand, around, (item) => post({ kind: 'item', item })) })
      break
  }
}

run().catch(fail)
