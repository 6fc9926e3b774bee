import { createLogger, type Logger, type LogSink } from '../logging/logger.ts'

/** A line that was logged in a thread, on its way to the main thread. */
export interface LoggedLine {
  readonly level: Parameters<LogSink['write']>[0]
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

/** The logger of a thread, for its own code and that of connectors. */
export function threadLogger(post: (line: LoggedLine) => void): Logger {
  return createLogger({
    write(level, message, details) {
      try {
        post({ level, message, details })
      } catch {
        // Details that cannot cross threads (a function, a socket): as text.
        const text = Object.entries(details).map(([name, value]) => [name, String(value)])
        post({ level, message, details: Object.fromEntries(text) as Record<string, string> })
      }
    },
  })
}
