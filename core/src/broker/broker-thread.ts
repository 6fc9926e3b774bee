/** The entry of the log's thread; {@link startBrokerThread} in start-broker-thread.ts is the main side. */
import { parentPort, workerData } from 'node:worker_threads'
import { createLogger } from '../logging/logger.ts'
import { BrokerStartError } from './broker-start-error.ts'
import { startBroker } from './broker.ts'
import type { FromThread, ThreadData } from './start-broker-thread.ts'

async function runThread(port: NonNullable<typeof parentPort>, options: ThreadData): Promise<void> {
  const post = (message: FromThread) => port.postMessage(message)
  const logger = createLogger({ write: (...line) => post({ type: 'log', line }) })
  try {
    const broker = await startBroker({ ...options, logger })
    port.on('message', () => {
      // The thread ends when nothing is left to do.
      port.close()
      broker.close().catch((error: unknown) => {
        throw error
      })
    })
    const { host, port: boundPort, listeners } = broker
    post({ type: 'ready', host, port: boundPort, listeners })
  } catch (error) {
    const foreseen = error instanceof BrokerStartError
    const message = foreseen ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)
    post({ type: 'failed', code: foreseen ? error.code : 'UNKNOWN', message })
    port.close()
  }
}

if (parentPort !== null) await runThread(parentPort, workerData as ThreadData)
