import { inspect } from 'node:util'
import type { Logger as SdkLogger } from '@tidewire/sdk'
import { loggerOf, LogLevels, type LevelName } from './log-levels.ts'

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

/** As other Node programs number them in their JSON lines. */
const ranks: Readonly<Record<Parameters<LogSink['write']>[0], number>> = { debug: 20, info: 30, warn: 40, error: 50 }

/** As the loggers' levels are set while the process runs. */
export function levelsFrom(level: LogLevel): LogLevels {
  return new LogLevels(level === 'silent' ? 'OFF' : (level.toUpperCase() as LevelName))
}

/** The process's own log: JSON lines on standard error, so that standard output stays free for what a command prints. */
export function createProcessLogger(
  levels: LogLevels | LogLevel,
  out: { write(line: string): unknown } = process.stderr,
): Logger {
  const enabled = typeof levels === 'string' ? levelsFrom(levels) : levels
  return createLogger({
    write(level, message, details) {
      if (!enabled.isEnabled(loggerOf(details), level.toUpperCase() as LevelName)) return
      out.write(`${jsonLine(ranks[level], message, details)}\n`)
    },
  })
}

/** Never throws: connectors log what they please. */
function jsonLine(level: number, msg: string, details: Readonly<Record<string, unknown>>): string {
  const time = new Date().toISOString()
  try {
    return JSON.stringify({ level, time, ...details, msg }, jsonable)
  } catch {
    return JSON.stringify({ level, time, details: inspect(details), msg })
  }
}

function jsonable(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  return value instanceof Error ? (value.stack ?? value.message) : value
}

/** Drops everything. For tests and tools that report in their own way. */
export const silentLogger: Logger = createLogger({ write: () => undefined })
