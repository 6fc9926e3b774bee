import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { parseWorkerConfig } from '../../core/src/config/worker-settings.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'
import { readSettingsFile } from '../../core/src/main/properties.ts'
import { startWorker } from '../../core/src/main/worker.ts'
import { testBroker } from '../support/broker.ts'
import { until } from '../support/until.ts'
import { restClient } from '../support/worker.ts'

// The pair in config/ is what docs/cluster.md starts: as it stands, it is a cluster.

const file = (n: number): string => resolve(import.meta.dirname, `../../config/cluster-worker-${n}.properties`)

test('the workers of config/cluster-worker-*.properties are one cluster, on addresses of their own', async () => {
  const files = await Promise.all([1, 2].map(async (n) => readSettingsFile(file(n))))
  const [{ listeners: first, ...same }, { listeners: second, ...others }] = files as [
    Record<string, string>,
    Record<string, string>,
  ]
  expect(same).toEqual(others)
  expect(first).not.toBe(second)

  const folder = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
  const broker = await testBroker()
  const workers = await Promise.all(
    files.map(async (settings) => {
      const free = { 'bootstrap.servers': broker.address, listeners: 'http://127.0.0.1:0' }
      const parsed = parseWorkerConfig({ ...settings, ...free })
      expect(parsed.errors).toEqual({})
      expect(parsed.warnings).toEqual([])
      return startWorker(parsed, silentLogger)
    }),
  )
  try {
    const [one, other] = workers.map(({ url }) => restClient(url))
    await one!.deploy('a', { 'connector.class': 'file-source', file: join(folder, 'a'), topic: 'a' })
    await other!.reaches('a', 'RUNNING', 1)
    await until('both are in the cluster', async () => {
      const { body } = await one!.ask('GET', '/admin/workers')
      return (body as { leader: boolean }[]).length === 2
    })
  } finally {
    for (const worker of workers) await worker.close()
    await broker.close()
    await rm(folder, { recursive: true, force: true })
  }
})
