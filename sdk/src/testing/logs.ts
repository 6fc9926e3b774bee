import type { Logger } from '../connector.ts'

/** One line that a connector logged during a run. */
export interface LogLine {
  readonly level: keyof Logger
  readonly message: string
  readonly details: Readonly<Record<string, unknown>> | undefined
}

/** A logger that keeps its lines for the test to look at. */
export function recordingLogger(lines: LogLine[]): Logger {
  const at = (level: keyof Logger) => (message: string, details?: Readonly<Record<string, unknown>>) =>
    void lines.push({ level, message, details })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
