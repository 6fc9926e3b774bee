import { exitWith } from './fatal.ts'

/**
 * Stops cleanly on SIGINT, SIGTERM and SIGHUP; a second signal ends the process at once. The promise of `close` is
 * waited for, then the process exits with 0, or with 1 where closing failed.
 */
export function stopOnSignals(close: () => Promise<void>, say: (line: string) => void): void {
  // Whoever read the output (`| head`, a closed terminal) may be gone; that is no reason to end otherwise than cleanly.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  let stopping = false
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(130)
    stopping = true
    say(`Stopping (${signal}); once more to stop at once.`)
    close().then(
      () => {
        say('Stopped.')
        process.exit(0)
      },
      (error: unknown) => exitWith(error),
    )
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
}
