// From `npm start` to the first record readable in `sensors`, cold and on the compile cache, and the resident memory
// of the idle platform: node bench/start/start.ts [--write]
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createClient } from '../../core/src/client/log-client.ts'
import { freePorts } from '../../test/support/tidewire.ts'
import { processTree } from '../support/process-tree.ts'
import { median, report, table } from '../support/report.ts'

const root = resolve(import.meta.dirname, '../..')
const runs = 7

interface Run {
  readonly firstRecordMs: number
  readonly restMs: number
  readonly idle?: { readonly node: number; readonly tree: number }
}

async function run(options: { npm: boolean; cold: boolean; empty?: boolean; idleAfterMs?: number }): Promise<Run> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidewire-bench-'))
  const cache = options.cold
    ? await mkdtemp(join(tmpdir(), 'tidewire-cache-'))
    : join(root, 'node_modules/.cache/bench')
  const [log, rest, mqtt] = (await freePorts(3)).map(String) as [string, string, string]
  const flags = ['--data-dir', dataDir, '--log-port', log, '--rest-port', rest, '--mqtt-port', mqtt]
  flags.push('--registry-port', '0')
  if (options.empty === true) flags.push('--empty')
  const begun = performance.now()
  const child = options.npm
    ? spawn('npm', ['start', '--silent', '--', ...flags], spawnOptions(cache))
    : spawn(process.execPath, [join(root, 'core/src/main/tidewire.mjs'), 'start', ...flags], spawnOptions(cache))
  try {
    const restUp = portOpen(Number(rest)).then(() => performance.now() - begun)
    if (options.empty !== true) await firstRecord(Number(log))
    const firstRecordMs = performance.now() - begun
    const restMs = await restUp
    if (options.idleAfterMs === undefined) return { firstRecordMs, restMs }
    await new Promise((done) => setTimeout(done, options.idleAfterMs))
    return { firstRecordMs, restMs, idle: memory(child) }
  } finally {
    process.kill(-child.pid!, 'SIGINT')
    await once(child, 'close')
    await rm(dataDir, { recursive: true, force: true })
    if (options.cold) await rm(cache, { recursive: true, force: true })
  }
}

function spawnOptions(cache: string) {
  return { cwd: root, detached: true, stdio: 'ignore' as const, env: { ...process.env, NODE_COMPILE_CACHE: cache } }
}

async function portOpen(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const open = await new Promise<boolean>((answer) => {
      socket.once('connect', () => answer(true)).once('error', () => answer(false))
    })
    socket.destroy()
    if (open) return
    await new Promise((again) => setTimeout(again, 5))
  }
}

async function firstRecord(port: number): Promise<void> {
  await portOpen(port)
  const client = createClient({ bootstrapServers: [`127.0.0.1:${port}`], clientId: 'bench' })
  const reader = client.reader()
  reader.assign([{ topic: 'sensors', partition: 0, offset: 'earliest' }])
  for (;;) {
    const fetched = await reader.poll({ maxWaitMs: 100 })
    if (fetched.some(({ records }) => records.length > 0)) break
  }
  await client.close()
}

function memory(child: ChildProcess): { node: number; tree: number } {
  const tree = processTree(child.pid!)
  const node = Math.max(...tree.filter(({ name }) => !name.startsWith('npm')).map(({ rssMiB }) => rssMiB))
  return { node, tree: tree.reduce((sum, { rssMiB }) => sum + rssMiB, 0) }
}

async function several(label: string, options: Parameters<typeof run>[0]): Promise<[string, string, string, string]> {
  const results: Run[] = []
  for (let index = 0; index < runs; index++) results.push(await run(options))
  const first = results.map(({ firstRecordMs }) => firstRecordMs)
  const ms = (value: number) => value.toFixed(0)
  return [
    label,
    ms(median(first)),
    `${ms(Math.min(...first))}–${ms(Math.max(...first))}`,
    ms(median(results.map(({ restMs }) => restMs))),
  ]
}

await run({ npm: false, cold: false }) // Fills the compile cache.
const times = table(
  [`start (${runs} runs)`, 'first record, median ms', 'range ms', 'REST answers, median ms'],
  [
    await several('node, compile cache', { npm: false, cold: false }),
    await several('node, cold', { npm: false, cold: true }),
    await several('npm start, compile cache', { npm: true, cold: false }),
    await several('npm start, cold', { npm: true, cold: true }),
  ],
)
const quickstart = await run({ npm: true, cold: false, idleAfterMs: 20_000 })
const empty = await run({ npm: true, cold: false, empty: true, idleAfterMs: 20_000 })
const idle = table(
  ['resident memory after 20 s', 'tidewire process, MiB', 'whole tree with npm and its shell, MiB'],
  [
    ['quickstart running', quickstart.idle!.node.toFixed(0), quickstart.idle!.tree.toFixed(0)],
    ['--empty', empty.idle!.node.toFixed(0), empty.idle!.tree.toFixed(0)],
  ],
)
await report('start', 'npm run bench:start', `${times}\n\n${idle}`)
