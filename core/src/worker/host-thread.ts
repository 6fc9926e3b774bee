/** Entry of a host thread. All that runs here is connectors' code and what serves it; see task-host.ts. */
import { getHeapStatistics } from 'node:v8'
import { parentPort, workerData } from 'node:worker_threads'
import { thrownError, type HostBirth, type HostMessage, type HostRequest } from './host-messages.ts'
import { TaskHost } from './task-host.ts'
import { threadLogger } from './thread-logger.ts'
import { Turns } from './turns.ts'

const port = parentPort!
const settings = workerData as HostBirth

const post = (message: HostMessage): void => port.postMessage(message)

const logger = threadLogger((line) => post({ kind: 'log', ...line }))

const host = new TaskHost(settings, post, logger, new Turns(settings.turns))

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

// From the event loop that the tasks share: when one blocks it, this stops, and the turn that does not end is named.
setInterval(() => {
  const { used_heap_size: heapBytes, heap_size_limit: heapLimitBytes } = getHeapStatistics()
  host.lookForStalls()
  host.tellProgress()
  post({ kind: 'alive', heapBytes, heapLimitBytes })
}, settings.heartbeatMs)
