import type { Logger as SdkLogger } from '@tidewire/sdk'
import { pino, type LoggerOptions } from 'pino'

/** A logger that can be narrowed: what it writes carries the bindings of all its parents. */
export interface Logger extends SdkLogger {
  child(bindings: Readonly<Record<string, unknown>>): Logger
}

/** Kafka's and log4j's level names, lower-cased. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Where the lines of a logger go: the process's own log, or from a thread to the main thread. */
export interface LogSink {
  write(level: Exclude<LogLevel, 'trace' | 'silent'>, message: string, details: Readonly<Record<string, unknown>>): void
}

/** A logger over a sink; for threads, whose sink posts each line to the main thread. */
export function createLogger(sink: LogSink, bindings: Readonly<Record<string, unknown>> = {}): Logger {
  const write =
    (level: Parameters<LogSink['write']>[0]) => (message: string, details?: Readonly<Record<string, unknown>>) =>
      sink.write(level, message, { ...bindings, ...details })
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (more) => createLogger(sink, { ...bindings, ...more }),
  }
}

/** The process's own log: JSON lines on standard error, so that standard output stays free for what a command prints. */
export function createProcessLogger(level: LogLevel): Logger {
  const options: LoggerOptions = { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` }
  const out = pino(options, process.stderr)
  return createLogger({
    write: (lineLevel, message, details) => out[lineLevel](details, message),
  })
}

/** Drops everything. For tests and tools that report in their own way. */
export const silentLogger: Logger = createLogger({ write: () => undefined })
