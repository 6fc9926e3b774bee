/**
 * The broker in a thread of its own, so that nothing which the main thread does can hold it up. The main side is
 * {@link startBrokerThread}; the same file is the thread's entry.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { createLogger, type Logger, type LogSink } from '../logging/logger.ts'
import { BrokerStartError, startBroker, type Broker, type BrokerOptions } from './broker.ts'

type LogLine = Parameters<LogSink['write']>

type FromThread =
  | { readonly type: 'ready'; readonly host: string; readonly port: number }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'log'; readonly line: LogLine }

type ThreadData = Omit<BrokerOptions, 'logger'> & { readonly isBrokerThread: true }

export interface BrokerThread extends Broker {
  /** Rejects when the thread ends without having been told to; resolves after {@link Broker.close}. */
  readonly ended: Promise<void>
}

/**
 * Starts a broker in a thread.
 * @throws BrokerStartError as `startBroker` does
 */
export async function startBrokerThread(options: BrokerOptions): Promise<BrokerThread> {
  const { logger, ...rest } = options
  const data: ThreadData = { ...rest, isBrokerThread: true }
  const thread = new Worker(new URL(import.meta.url), { workerData: data, name: 'log' })
  let closing = false
  const ended = new Promise<void>((resolve, reject) => {
    thread.once('error', reject)
    thread.once('exit', (code) => {
      if (closing) resolve()
      else reject(new BrokerStartError('THREAD_ENDED', `the thread of the log ended (code ${code})`))
    })
  })
  // Whoever does not care for it must not be ended by it.
  ended.catch(() => undefined)
  const { host, port } = await new Promise<{ host: string; port: number }>((resolve, reject) => {
    ended.catch(reject)
    thread.on('message', (message: FromThread) => {
      switch (message.type) {
        case 'log':
          writeLine(logger, message.line)
          return
        case 'ready':
          resolve(message)
          return
        case 'failed':
          closing = true
          reject(new BrokerStartError(message.code, message.message))
      }
    })
  })
  const close = async () => {
    if (!closing) {
      closing = true
      thread.postMessage('close')
    }
    await ended
  }
  return { host, port, close, ended }
}

function writeLine(logger: Logger, [level, message, details]: LogLine): void {
  logger[level](message, details)
}

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
    post({ type: 'ready', host: broker.host, port: broker.port })
  } catch (error) {
    const foreseen = error instanceof BrokerStartError
    const message = foreseen ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)
    post({ type: 'failed', code: foreseen ? error.code : 'UNKNOWN', message })
    port.close()
  }
}

if (!isMainThread && parentPort !== null && (workerData as Partial<ThreadData> | null)?.isBrokerThread === true) {
  await runThread(parentPort, workerData as ThreadData)
}
