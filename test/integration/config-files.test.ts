import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Plugin } from '@tidewire/sdk'
import { parseConfig } from '@tidewire/sdk/testing'
import { expect, test } from 'vitest'

// The connectors in config/ are what a newcomer POSTs: each must be one that exists, with settings that it has.

const root = resolve(import.meta.dirname, '../..')
const files = ['quickstart', 'examples'].flatMap((folder) =>
  readdirSync(join(root, 'config', folder))
    .filter((name) => name.endsWith('.json'))
    .map((name) => join('config', folder, name)),
)

test.each(files)('%s', async (file) => {
  const { name, config } = JSON.parse(readFileSync(join(root, file), 'utf8')) as {
    name: string
    config: Record<string, string>
  }
  expect(name).toMatch(/^[a-z0-9-]+$/)
  const plugins = await Promise.all(
    readdirSync(join(root, 'connectors')).map(
      async (folder) => (await import(join(root, 'connectors', folder, 'index.ts'))) as { default: Plugin },
    ),
  )
  const all = plugins.flatMap(({ default: { connectors = [] } }) => connectors)
  const connector = all.find((known) => known.name === config['connector.class'])
  expect(connector, config['connector.class']).toBeDefined()
  parseConfig(connector!, config)
})
