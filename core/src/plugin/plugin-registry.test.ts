import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { silentLogger } from '../logging/logger.ts'
import { PluginRegistry, type PluginList } from './plugin-registry.ts'

vi.setConfig({ testTimeout: 60_000 })

let folder: string
beforeEach(async () => (folder = await realpath(await mkdtemp(join(tmpdir(), 'tidewire-plugins-')))))
afterEach(() => rm(folder, { recursive: true }))

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
}

function registry(options: { paths?: string[]; scanTimeoutMs?: number } = {}): PluginRegistry {
  return new PluginRegistry({ paths: [folder], builtIns: [], logger: silentLogger, ...options })
}

const plugin = (name: string, version = '1.0.0', more = ''): string => `
  import { definePlugin, defineSource } from '@tidewire/sdk'
  export default definePlugin({
    name: '${name}-plugin',
    version: '${version}',
    connectors: [
      defineSource({
        name: '${name}',
        aliases: ['com.acme.${name[0]!.toUpperCase()}${name.slice(1)}SourceConnector'],
        doc: 'A source.',
        config: { url: { type: 'string', required: true, doc: 'Where.' } },
        ${more}
        async *read() {},
      }),
    ],
  })
`

const names = (list: PluginList) => list.connectors.map(({ manifest }) => manifest.name)

const shaping = `
  import { definePlugin, definePredicate, defineTransform } from '@tidewire/sdk'
  export default definePlugin({
    name: 'shaping',
    version: '1.0.0',
    transforms: [
      defineTransform({
        name: 'upper-value',
        aliases: ['com.acme.Upper$Value'],
        doc: 'Upper case.',
        config: { field: { type: 'string', required: true, doc: 'Which.' } },
        check: () => ({}),
        create: () => ({ apply: (record) => record }),
      }),
    ],
    predicates: [
      definePredicate({ name: 'is-late', version: '2.0.0', doc: 'Late?', config: {}, create: () => ({ test: () => true }) }),
    ],
  })
`

describe('transforms and predicates', () => {
  test('are listed, and found by short name, class, and simple class name', async () => {
    await write({ 'shaping/index.js': shaping })
    const plugins = registry()
    const { transforms, predicates, broken } = await plugins.list()
    expect(broken).toEqual([])
    expect(transforms.map(({ className, manifest }) => [className, manifest.version, manifest.hasCheck])).toEqual([
      ['com.acme.Upper$Value', '1.0.0', true],
    ])
    expect(predicates.map(({ className, manifest }) => [className, manifest.version, manifest.hasCheck])).toEqual([
      ['is-late', '2.0.0', false],
    ])
    for (const name of ['upper-value', 'com.acme.Upper$Value', 'Upper$Value']) {
      expect((await plugins.transform(name)).ref).toMatchObject({ name: 'upper-value', version: '1.0.0' })
      expect(plugins.knownTransform(name)?.manifest.name).toBe('upper-value')
    }
    expect((await plugins.predicate('is-late', '[2.0,3.0)')).manifest.name).toBe('is-late')
    await expect(plugins.transform('is-late')).rejects.toThrow(
      'Failed to find any transform plugin with name is-late. Available: upper-value.',
    )
    await expect(plugins.predicate('is-lat')).rejects.toThrow('did you mean is-late? Available:')
  })

  test('must not declare what the framework reads below an alias', async () => {
    await write({ 'shaping/index.js': shaping.replace('field: {', 'negate: {') })
    const { transforms, broken } = await registry().list()
    expect(transforms).toEqual([])
    expect(broken[0]?.reason).toBe("transform upper-value: 'negate' is a setting that all have, and not its own")
  })
})

describe('plugins outside the repository', () => {
  test('are found as packages, folders with an index, and single files, and get the bundled SDK', async () => {
    await write({
      'packaged/package.json': JSON.stringify({ type: 'module', exports: { '.': { import: './lib/main.js' } } }),
      'packaged/lib/main.js': plugin('packaged'),
      'typed/index.ts': plugin('typed').replace('async *read() {}', 'async *read(): AsyncGenerator<never> {}'),
      'single.mjs': plugin('single'),
      'notes/readme.md': 'Not a plugin.',
      'node_modules/dependency/index.js': 'throw new Error("not to be looked at")',
    })
    const list = await registry().list()
    expect(list.broken).toEqual([])
    expect(names(list).sort()).toEqual(['packaged', 'single', 'typed'])
    expect(names(await registry({ paths: [join(folder, 'typed')] }).list())).toEqual(['typed'])
    expect(names(await registry({ paths: [join(folder, 'single.mjs')] }).list())).toEqual(['single'])
  })

  test('resolve by short name, class, simple class name, and that without its suffix', async () => {
    await write({ 'a/index.js': plugin('acme', '2.1.0', 'check: () => ({}),') })
    const plugins = registry()
    for (const name of ['acme', 'com.acme.AcmeSourceConnector', 'AcmeSourceConnector', 'AcmeSource']) {
      const { manifest, className, ref } = await plugins.connector(name)
      expect({
        name: manifest.name,
        type: manifest.type,
        hasCheck: manifest.hasCheck,
        className,
        version: ref.version,
      }).toEqual({
        name: 'acme',
        type: 'source',
        hasCheck: true,
        className: 'com.acme.AcmeSourceConnector',
        version: '2.1.0',
      })
    }
    await expect(plugins.connector('acne')).rejects.toThrow(
      /Failed to find any connector plugin with name acne: did you mean acme\?/,
    )
  })

  test('that throw, exit, or are no plugins are listed with the reason, and harm no other', async () => {
    await write({
      'good/index.js': plugin('good'),
      'throws/index.js': 'throw new Error("no driver found")',
      'exits/index.js': 'process.exit(3)',
      'rejects-later/index.js':
        'setTimeout(() => { throw new Error("late") }); await new Promise(() => setInterval(() => {}, 1000))',
      'other/index.js': 'export const x = 1',
      'nameless/index.js': 'export default { version: "1" }',
      'bad-setting/index.js': plugin('bad').replace('required: true', "default: 'a', enum: ['b']"),
      'bad-json/package.json': '{',
      'no-entry/package.json': '{}',
      'node_modules/in-modules/index.ts': plugin('in-modules').replace(
        'async *read() {}',
        'async *read(): AsyncGenerator<never> {}',
      ),
    })
    const plugins = registry({
      paths: [folder, join(folder, 'node_modules'), join(folder, 'absent')],
      scanTimeoutMs: 60_000,
    })
    const list = await plugins.list()
    expect(names(list)).toEqual(['good'])
    const reasons = Object.fromEntries(list.broken.map(({ path, reason }) => [path.slice(folder.length + 1), reason]))
    expect(reasons).toEqual({
      throws: 'no driver found',
      exits: 'ended its thread while it was loaded (exit code 3)',
      'rejects-later': 'failed while it was loaded: late',
      other: 'its default export is not a plugin: export default definePlugin({ … })',
      nameless: 'the plugin has no name',
      'bad-setting': expect.stringContaining('setting url: its default'),
      'bad-json': expect.stringContaining('package.json cannot be read'),
      'no-entry': 'package.json has no exports or main, and there is no index file',
      'node_modules/in-modules': expect.stringContaining('under a node_modules folder'),
      absent: 'no such file or folder',
    })
    await expect(plugins.connector('throws-source')).rejects.toThrow(/no driver found/)
  })

  test('that hang are given up', async () => {
    await write({
      'hangs/index.js': 'await new Promise((resolve) => setInterval(resolve, 2 ** 30)); export default 1',
      'spins/index.js': 'for (;;);',
    })
    const { broken } = await registry({ scanTimeoutMs: 1000 }).list()
    expect(broken.map(({ path, reason }) => [path.slice(folder.length + 1), reason]).sort()).toEqual([
      ['hangs', 'did not load within 1 s'],
      ['spins', 'did not load within 1 s'],
    ])
  })

  test('are found and lost while the worker runs, and waited for only where they matter', async () => {
    await write({ 'slow/index.js': 'for (;;);' })
    const plugins = registry({ scanTimeoutMs: 60_000 })
    await write({ 'first/index.js': plugin('first') })
    expect((await plugins.connector('first')).manifest.name).toBe('first')
    await write({ 'second/index.js': plugin('second') })
    expect((await plugins.connector('second')).manifest.name).toBe('second')
    await rm(join(folder, 'slow'), { recursive: true })
    await rm(join(folder, 'first'), { recursive: true })
    expect(names(await plugins.list())).toEqual(['second'])
  })

  test('that change are read again, under a new URL that reaches their other files too', async () => {
    const entry = (version: string) => `
      import { prefix } from './lib/prefix.js'
      ${plugin('acme', version).replace("doc: 'A source.'", 'doc: prefix')}`
    await write({ 'a/index.js': entry('1.0.0'), 'a/lib/prefix.js': "export const prefix = 'one'" })
    const plugins = registry()
    const first = await plugins.connector('acme')
    expect(first.manifest.doc).toBe('one')
    expect((await plugins.connector('acme')).ref).toEqual(first.ref)
    await write({ 'a/lib/prefix.js': "export const prefix = 'two'" })
    const second = await plugins.connector('acme')
    expect(second.manifest.doc).toBe('two')
    expect(await docsInOneThread([first.ref.module, second.ref.module])).toEqual(['two', 'two'])
    await write({ 'a/lib/prefix.js': "export const prefix = 'three'", 'a/index.js': entry('1.1.0') })
    const third = await plugins.connector('acme')
    expect(third.ref.version).toBe('1.1.0')
    await write({ 'a/index.js': 'throw new Error("half written")' })
    await expect(plugins.connector('acme')).rejects.toThrow(/half written/)
    await write({ 'a/index.js': entry('1.2.0') })
    expect((await plugins.connector('acme')).ref.version).toBe('1.2.0')
  })

  test('a name that is taken is refused with the reason', async () => {
    await write({ 'a/index.js': plugin('acme'), 'b/index.js': plugin('acme') })
    const list = await registry().list()
    expect(names(list)).toEqual(['acme'])
    expect(list.broken).toEqual([
      { path: join(folder, 'b'), name: 'acme', reason: "another plugin already gives a 'acme' of version 1.0.0" },
    ])
  })

  test('versions side by side: the newest, or the newest within a range; a range without one names what there is', async () => {
    const versions = ['1.9.0', '1.10.0', '2.0.0-rc1', '0.5.0']
    await write(Object.fromEntries(versions.map((version) => [`acme-${version}/index.js`, plugin('acme', version)])))
    const plugins = registry()
    const list = await plugins.list()
    expect(list.broken).toEqual([])
    expect(list.connectors.map(({ manifest }) => manifest.version).sort()).toEqual([...versions].sort())
    const chosen = async (range?: string) => (await plugins.connector('com.acme.AcmeSourceConnector', range)).ref
    expect((await chosen()).version).toBe('2.0.0-rc1')
    expect((await chosen('latest')).version).toBe('2.0.0-rc1')
    expect((await chosen('[1.0,2.0-alpha)')).version).toBe('1.10.0')
    expect(await chosen('1.9')).toMatchObject({
      version: '1.9.0',
      module: expect.stringContaining('/acme-1.9.0/') as string,
    })
    expect(plugins.knownConnector('acme', '[,1)')?.manifest.version).toBe('0.5.0')
    await expect(chosen('[3,)')).rejects.toThrow(
      'No version of connector plugin com.acme.AcmeSourceConnector is within [3,). Available: 2.0.0-rc1, 1.10.0, 1.9.0, 0.5.0',
    )
    await expect(chosen('newest')).rejects.toMatchObject({ name: 'NotFoundError' })
    await expect(chosen('[1')).rejects.toMatchObject({ name: 'ConfigError' })
  })
})

test('a long-lived thread loads the next version of a CommonJS plugin too', async () => {
  const entry = `
    const { definePlugin, defineSource } = require('@tidewire/sdk')
    const doc = require('./doc.js')
    const source = defineSource({ name: 'acme', doc, config: {}, async *read() {} })
    module.exports = definePlugin({ name: 'acme-plugin', version: '1', connectors: [source] })`
  await write({ 'a/index.js': entry, 'a/doc.js': "module.exports = 'one'" })
  const plugins = registry()
  const thread = loaderThread()
  expect(await thread.doc((await plugins.connector('acme')).ref.module)).toBe('one')
  await write({ 'a/doc.js': "module.exports = 'two'" })
  expect(await thread.doc((await plugins.connector('acme')).ref.module)).toBe('two')
  await thread.close()
})

test('a long-lived thread that has loaded a version loads the next one whole', async () => {
  await write({
    'a/index.js': `import { word } from './word.js'\n${plugin('acme').replace("'A source.'", 'word')}`,
    'a/word.js': "export const word = 'one'",
  })
  const plugins = registry()
  const first = (await plugins.connector('acme')).ref.module
  const thread = loaderThread()
  expect(await thread.doc(first)).toBe('one')
  await write({ 'a/word.js': "export const word = 'two'" })
  expect(await thread.doc((await plugins.connector('acme')).ref.module)).toBe('two')
  expect(await thread.doc(first)).toBe('one')
  await thread.close()
})

test('the built-in plugins load', async () => {
  const list = await new PluginRegistry({ paths: [], logger: silentLogger }).list()
  expect(list.broken).toEqual([])
})

/** A thread as the hosts of tasks are: it lives on and loads plugins as they are asked for. */
function loaderThread() {
  const load = fileURLToPath(new URL('./load.ts', import.meta.url))
  const thread = new Worker(
    `import { parentPort } from 'node:worker_threads'
     import { loadConnector } from ${JSON.stringify(load)}
     parentPort.on('message', async (module) => {
       parentPort.postMessage((await loadConnector({ module, name: 'acme', version: '' })).doc)
     })`,
    { eval: true, execArgv: ['--input-type=module'] },
  )
  return {
    doc: (module: string) =>
      new Promise<unknown>((resolve, reject) => {
        thread.once('message', resolve).once('error', reject)
        thread.postMessage(module)
      }),
    close: () => thread.terminate(),
  }
}

async function docsInOneThread(modules: readonly string[]): Promise<unknown[]> {
  const thread = loaderThread()
  const docs: unknown[] = []
  for (const module of modules) docs.push(await thread.doc(module))
  await thread.close()
  return docs
}
