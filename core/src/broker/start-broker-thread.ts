/**
 * The main side of a broker in a thread of its own, so that nothing which the main thread does can hold it up. It loads
 * nothing of the broker here: that is the thread's.
 */
import { Worker } from 'node:worker_threads'
import type { Logger, LogSink } from '../logging/logger.ts'
import { BrokerStartError } from './broker-start-error.ts'
import type { Broker, BrokerOptions } from './broker.ts'

type LogLine = Parameters<LogSink['write']>

export type FromThread =
  | ({ readonly type: 'ready' } & Omit<Broker, 'close'>)
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'log'; readonly line: LogLine }

export type ThreadData = Omit<BrokerOptions, 'logger'>

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
  const data: ThreadData = rest
  const thread = new Worker(new URL('./broker-thread.ts', import.meta.url), { workerData: data, name: 'log' })
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
  const { host, port, listeners } = await new Promise<Omit<Broker, 'close'>>((resolve, reject) => {
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
  return { host, port, listeners, close, ended }
}

function writeLine(logger: Logger, [level, message, details]: LogLine): void {
  logger[level](message, details)
}
