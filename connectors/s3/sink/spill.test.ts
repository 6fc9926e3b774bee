import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SpillFolder } from './spill.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('bytes come back in order, however they are taken', async () => {
  const spill = new SpillFolder(join(folder, 'new'))
  const file = await spill.file()
  await file.append([Buffer.from('ab'), Buffer.from('cd')])
  expect(String(await file.take(3))).toBe('abc')
  await file.append([Buffer.from('ef')])
  expect(file.bytes).toBe(3)
  expect(String(await file.take(100))).toBe('def')
  await file.append([Buffer.from('g')])
  expect([String(await file.take(1)), file.bytes]).toEqual(['g', 0])
  await spill.remove()
  expect(await readdir(join(folder, 'new'))).toEqual([])
})

test('what a process that is no more has left is removed, and nothing else', async () => {
  const running = new SpillFolder(folder)
  await (await running.file()).append([Buffer.from('a')])
  const [own = ''] = await readdir(folder)
  const others = [
    `tidewire-s3-spill-${hostname()}-4194304999-1-aaaaaa`,
    // The number of this process, which another one had.
    `tidewire-s3-spill-${hostname()}-${process.pid}-1-aaaaaa`,
    'tidewire-s3-spill-another-host-1-1-aaaaaa',
    'something',
  ]
  for (const name of others) await mkdir(join(folder, name))
  await new SpillFolder(folder).clean()
  expect((await readdir(folder)).toSorted()).toEqual([own, others[2], others[3]].toSorted())
})
