/** Entry of an errand's thread; see errand-messages.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import type { ClientOptions, LogClient } from '../client/client.ts'
import { createLogger } from '../logging/logger.ts'
import type { ErrandBirth, ErrandMessage } from './errand-messages.ts'
import { thrownError } from './host-messages.ts'
import { listLetters } from './list-letters.ts'
import { preview } from './preview.ts'
import { redrive } from './redrive.ts'

const port = parentPort!
const birth = workerData as ErrandBirth
const abort = new AbortController()

const post = (message: ErrandMessage): void => port.postMessage(message)
const fail = (error: unknown): void => post({ kind: 'failed', error: thrownError(error) })

const logger = createLogger({
  write(level, message, details) {
    try {
      post({ kind: 'log', level, message, details })
    } catch {
      // Details that cannot cross threads (a function, a socket): as text.
      const text = Object.entries(details).map(([name, value]) => [name, String(value)])
      post({ kind: 'log', level, message, details: Object.fromEntries(text) as Record<string, string> })
    }
  },
}).child({ connector: birth.errand.spec.connector, errand: birth.kind })

port.on('message', () => abort.abort())
process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)

async function run(): Promise<void> {
  const { settings, errand } = birth
  const { bootstrapServers, requestTimeoutMs, security, workerId, clientModule } = settings
  const { createClient } = (await import(clientModule)) as { createClient: (options: ClientOptions) => LogClient }
  const around = {
    settings,
    logger,
    openClient: (own: Partial<ClientOptions>) =>
      createClient({ bootstrapServers, clientId: `connect-${workerId}`, requestTimeoutMs, logger, ...own }),
    security,
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
