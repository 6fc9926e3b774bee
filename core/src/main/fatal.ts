/** An error the user can mend: shown as one line, exit code 1. */
export class UserError extends Error {
  override readonly name = 'UserError'
}

/** One line for standard error; the stack follows only where the error is none that anyone foresaw. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const foreseen = error.name === 'UserError' || 'exitCode' in error || 'code' in error
  return foreseen || error.stack === undefined ? error.message.replaceAll('\n', ' ') : error.stack
}

/** Ends the process after a failure to start or to go on, or to do what a command is for (with its exit code). */
export function exitWith(error: unknown): never {
  process.stderr.write(`tidewire: ${describeError(error)}\n`)
  const { exitCode } = error as { readonly exitCode?: unknown }
  process.exit(typeof exitCode === 'number' ? exitCode : 1)
}
