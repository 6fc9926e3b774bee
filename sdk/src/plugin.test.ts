import { expect, test } from 'vitest'
import { defineConfig } from './config.ts'
import { defineSink } from './connector.ts'
import { defineConverter } from './converter.ts'
import { definePlugin } from './plugin.ts'

const sink = (name: string) =>
  defineSink({ name, doc: 'x', config: defineConfig({}), write: () => ({ put: () => undefined }) })
const converter = (name: string) =>
  defineConverter({
    name,
    doc: 'x',
    config: defineConfig({}),
    create: () => ({ fromConnect: () => null, toConnect: () => ({ value: null }) }),
  })

test('definePlugin gives back what it got', () => {
  const plugin = { name: 'p', version: '1.0.0', connectors: [sink('redis-sink')], converters: [converter('avro')] }
  expect(definePlugin(plugin)).toBe(plugin)
  expect(plugin.connectors[0]).toMatchObject({ type: 'sink', name: 'redis-sink' })
})

test.each(['Redis', 'redis_sink', '', '-a', 'a--b', 'a b'])('definePlugin refuses the name %j', (name) => {
  expect(() => definePlugin({ name: 'p', version: '1', connectors: [sink(name)] })).toThrow('lower-case words')
})

test('definePlugin refuses a name given twice, also to a connector and a converter', () => {
  expect(() => definePlugin({ name: 'p', version: '1', connectors: [sink('a'), sink('a')] })).toThrow('declared twice')
  expect(() =>
    definePlugin({ name: 'p', version: '1', connectors: [sink('a')], converters: [converter('a')] }),
  ).toThrow('declared twice')
})
