/** How a command ends: few codes, so that scripts can tell what they can do something about. See docs/cli.md. */
export const exitCodes = {
  /** Done. */
  ok: 0,
  /** Refused, or something went wrong. */
  failed: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** The connector, plugin, topic or group named is not there. */
  notFound: 3,
  /** No worker, or no log, answers at the address. */
  unreachable: 4,
  /** `connector diff`: what runs is not what the files say. */
  different: 5,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** What ends a command, in one line: what went wrong, and the way out. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode

  constructor(message: string, exitCode: ExitCode = exitCodes.failed, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}
