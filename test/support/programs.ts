/** Programs of the machine that a test needs and npm does not bring. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Why a test cannot run on this machine; undefined where it can.
 * @param commands each a program and what it is called with to see whether it works
 * @throws Error in CI, where nothing may be missing
 */
export async function missingProgram(
  ...commands: readonly (readonly [string, ...string[]])[]
): Promise<string | undefined> {
  for (const [program, ...args] of commands) {
    try {
      await run(program, args)
    } catch {
      const reason = `${program} ${args.join(' ')} does not work here`
      if (process.env['CI'] !== undefined) throw new Error(reason)
      return reason
    }
  }
  return undefined
}
