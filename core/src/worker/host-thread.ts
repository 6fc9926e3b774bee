/** Entry of a host thread. All that runs here is connectors' code and what serves it; see task-host.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import { createLogger } from '../logging/logger.ts'
import { thrownError, type HostMessage, type HostRequest, type HostSettings } from './host-messages.ts'
import { TaskHost } from './task-host.ts'

const port = parentPort!
const settings = workerData as HostSettings

const post = (message: HostMessage): void => port.postMessage(message)

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
})

const host = new TaskHost(settings, post, logger)

process.on('uncaughtException', (error) => host.uncaught(error))
process.on('unhandledRejection', (error) => host.uncaught(error))

port.on('message', (request: HostRequest) => {
  const { id, call, args } = request
  const handle = host.calls[call] as (given: typeof args) => Promise<unknown>
  handle(args).then(
    (value) => post({ kind: 'answer', id, value }),
    (error: unknown) => post({ kind: 'answer', id, error: thrownError(error) }),
  )
})

// From the event loop that the tasks share: when one blocks it, this stops.
setInterval(() => post({ kind: 'alive' }), settings.heartbeatMs)
