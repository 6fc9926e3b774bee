#!/usr/bin/env node
// The entry of the command line. It only turns on the compile cache, which must come before the other modules are
// loaded: with it a second start compiles nothing.
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

const [major = 0] = process.versions.node.split('.').map(Number)
if (major < 24) {
  process.stderr.write(
    `tidewire: needs Node 24 or newer and this is ${process.versions.node}; run it through npm (npm start, npm run tidewire), which uses the Node that npm ci installed\n`,
  )
  process.exit(1)
}
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, '../../../node_modules/.cache/tidewire')
enableCompileCache(process.env['NODE_COMPILE_CACHE'])
const { main } = await import('./cli.ts')
await main(process.argv)
