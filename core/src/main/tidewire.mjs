#!/usr/bin/env node
// The entry of the command line. Plain JavaScript, so that an old Node can say what is wrong, and so that nothing is
// compiled before the compile cache is on: with it, a second start compiles nothing and strips no types.
// The environment variable carries the cache to worker threads.
import * as nodeModule from 'node:module'
import { join } from 'node:path'

const [major = 0] = process.versions.node.split('.').map(Number)
if (major < 24) {
  process.stderr.write(
    `tidewire: needs Node 24 or newer, and this is ${process.versions.node}; run it through npm (npm start, npm run tidewire), which uses the Node that npm ci installed\n`,
  )
  process.exit(1)
}

// What can only be set before a process begins: one that is to run for long begins once more in its own place, with the
// same process id.
// - glibc gives every thread an arena of its own (35 MiB of idle memory here), and after the first freed buffer of some
//   size takes the next of that size from its heap, where it leaves holes: large buffers are to go back to the system.
// - V8 lets each thread's young generation grow to 32 MiB, which only the task hosts have a use for; they set their own.
// - The log syncs partitions side by side on libuv's threads; four are too few for a disk that takes more at a time.
const runsForLong = ['start', 'log', 'worker', 'standalone'].includes(process.argv[2] ?? '')
if (runsForLong && process.platform === 'linux' && process.env['MALLOC_ARENA_MAX'] === undefined) {
  const environment = {
    MALLOC_ARENA_MAX: '2',
    MALLOC_MMAP_THRESHOLD_: '262144',
    MALLOC_TRIM_THRESHOLD_: '1048576',
    UV_THREADPOOL_SIZE: '8',
    ...process.env,
  }
  const resolver = ['--import', new URL('resolve-sources.mjs', import.meta.url).href]
  const flags = ['--max-semi-space-size=2', ...resolver, ...process.execArgv, ...process.argv.slice(1)]
  process.execve?.(process.execPath, [process.execPath, ...flags], environment)
}
if (!runsForLong) await import('./resolve-sources.mjs')

process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, '../../../node_modules/.cache/tidewire')
nodeModule.enableCompileCache(process.env['NODE_COMPILE_CACHE'])
const { main } = await import('./cli.ts')
await main(process.argv)
// Now, and not only at the end: whoever is killed shall start as fast the next time.
nodeModule.flushCompileCache()
