import { spawn, type ChildProcess } from 'node:child_process'

/**
 * Kills a child when this process ends, in whatever way: a test that fails may not come to stop it, and vitest ends its
 * processes by a signal, so that none gets an `exit` event. A shell waits for the end of a pipe that only this process holds.
 * @param child with `detached` its whole process group
 */
export function endWithTest(child: ChildProcess, { detached = false } = {}): void {
  if (child.pid === undefined) return
  const target = detached ? -child.pid : child.pid
  const watch = spawn('sh', ['-c', 'read _; kill -s KILL -- "$0" 2>&-', String(target)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Ctrl-C at a terminal is for the tests.
    detached: true,
  })
  watch.unref()
  child.once('close', () => watch.kill('SIGKILL'))
}
