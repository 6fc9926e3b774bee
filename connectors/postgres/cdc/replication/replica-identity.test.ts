import { expect, test } from 'vitest'
import { ReplicaIdentityRules } from './replica-identity.ts'

const table = (name: string) => ({ schema: name.split('.')[0]!, table: name.split('.')[1]! })

test('a rule matches all of schema.table, in any case', () => {
  const rules = new ReplicaIdentityRules('public.a.*:FULL, public.b:index b_key ,PUBLIC.C:nothing, s.d:DEFAULT')
  expect(rules.of(table('public.a'))).toEqual({ kind: 'FULL' })
  expect(rules.of(table('Public.Abc'))).toEqual({ kind: 'FULL' })
  expect(rules.of(table('public.b'))).toEqual({ kind: 'INDEX', index: 'b_key' })
  expect(rules.of(table('public.c'))).toEqual({ kind: 'NOTHING' })
  expect(rules.of(table('s.d'))).toEqual({ kind: 'DEFAULT' })
  expect(rules.of(table('public.bb'))).toBeUndefined()
  expect(rules.of(table('xpublic.a'))).toBeUndefined()
})

test('two rules for one table are refused', () => {
  const rules = new ReplicaIdentityRules('public.*:FULL,public.a:DEFAULT')
  expect(() => rules.of(table('public.a'))).toThrow(/"public\.\*:FULL" and "public\.a:DEFAULT" both match/)
})

test.each(['', 'public.a', 'public.a:', 'public.a:SOME', 'public.a:INDEX', 'public.(a:FULL'])(
  '"%s" is refused',
  (text) => {
    expect(() => new ReplicaIdentityRules(text)).toThrow(/^replica\.identity\.autoset\.values: /)
  },
)
