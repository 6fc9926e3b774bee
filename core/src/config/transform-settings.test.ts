import { describe, expect, test } from 'vitest'
import { chainParts, chainPartSettings, isChainPlugin } from './transform-settings.ts'

describe('the parts of a chain', () => {
  const config = {
    name: 'c',
    transforms: ' route, a ,a.b',
    'transforms.a.type': ' insert-field-value ',
    'transforms.a.static.field': 'x',
    'transforms.a.b.type': 'filter',
    'transforms.a.b.predicate': 'p',
    'transforms.a.b.negate': ' TRUE',
    'transforms.c.type': 'filter',
    predicates: 'p',
    'predicates.p.type': 'record-is-tombstone',
    'predicates.p.plugin.version': '[1,2)',
    'predicates.p.predicate': 'its own',
  }

  test('come in the order of their aliases, each with its own settings', () => {
    const parts = chainParts(config, 'transforms')
    expect(
      parts.map(({ alias, type, predicate, negate, config: own }) => ({ alias, type, predicate, negate, own })),
    ).toEqual([
      { alias: 'route', type: undefined, predicate: undefined, negate: false, own: {} },
      { alias: 'a', type: 'insert-field-value', predicate: undefined, negate: false, own: { 'static.field': 'x' } },
      { alias: 'a.b', type: 'filter', predicate: 'p', negate: true, own: {} },
    ])
    expect(chainParts(config, 'predicates')).toMatchObject([
      { alias: 'p', type: 'record-is-tombstone', version: '[1,2)', config: { predicate: 'its own' } },
    ])
    expect(chainParts({}, 'transforms')).toEqual([])
  })

  test('are declared in a group of their own', () => {
    const [, , last] = chainParts(config, 'transforms')
    const settings = chainPartSettings(last!, { field: { type: 'string', doc: 'Which.' } })
    expect(Object.keys(settings)).toEqual(
      ['type', 'plugin.version', 'field', 'negate', 'predicate'].map((name) => `transforms.a.b.${name}`),
    )
    expect(new Set(Object.values(settings).map(({ group }) => group))).toEqual(new Set(['Transforms: a.b']))
    const [predicate] = chainParts(config, 'predicates')
    expect(Object.keys(chainPartSettings(predicate!))).toEqual(['predicates.p.type', 'predicates.p.plugin.version'])
  })

  test('what names their plugins is known by its name', () => {
    const names = [
      'transforms',
      'predicates.p.type',
      'transforms.a.b.plugin.version',
      'transforms.a.spec',
      'transformsa',
    ]
    expect(names.filter(isChainPlugin)).toEqual(names.slice(0, 3))
  })
})
