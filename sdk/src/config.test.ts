import { expect, expectTypeOf, test } from 'vitest'
import { defineConfig, type ConfigOf, type Settings } from './config.ts'

test('defineConfig gives back what it got', () => {
  const settings = { topic: { type: 'string', required: true, doc: 'Where to' } } as const
  expect(defineConfig(settings)).toBe(settings)
})

test('defineConfig refuses a declaration that contradicts itself', () => {
  expect(() => defineConfig({ a: { type: 'int', required: true, default: 1, doc: 'x' } })).toThrow(
    'setting a: required and a default exclude each other',
  )
  expect(() => defineConfig({ a: { type: 'int', doc: ' ' } })).toThrow('setting a: doc is empty')
})

test('ConfigOf gives each setting its type', () => {
  const config = typed(
    defineConfig({
      url: { type: 'string', required: true, doc: 'x' },
      size: { type: 'int', default: 5, doc: 'x' },
      wait: { type: 'long', doc: 'x' },
      mode: { type: 'string', enum: ['a', 'b'], default: 'a', doc: 'x' },
      names: { type: 'list', default: [], doc: 'x' },
      kinds: { type: 'list', enum: ['k', 'l'], doc: 'x' },
      on: { type: 'boolean', default: false, doc: 'x' },
    }),
  )
  expectTypeOf(config).branded.toEqualTypeOf<{
    readonly url: string
    readonly size: number
    readonly wait: number | undefined
    readonly mode: 'a' | 'b'
    readonly names: readonly string[]
    readonly kinds: readonly ('k' | 'l')[] | undefined
    readonly on: boolean
  }>()
})

/** Only its type is of interest: tsc checks it. */
function typed<S extends Settings>(settings: S): ConfigOf<S> {
  expect(settings).toBeDefined()
  return {} as ConfigOf<S>
}
