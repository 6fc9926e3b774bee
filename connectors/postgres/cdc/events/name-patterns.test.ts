import { describe, expect, test } from 'vitest'
import { NamePatterns } from './name-patterns.ts'

describe('NamePatterns', () => {
  test('covers whole names only, whatever their case', () => {
    const patterns = new NamePatterns('public.orders, Sales\\..*')
    expect(patterns.covers('public.orders')).toBe(true)
    expect(patterns.covers('PUBLIC.Orders')).toBe(true)
    expect(patterns.covers('public.orders_2')).toBe(false)
    expect(patterns.covers('my_public.orders')).toBe(false)
    expect(patterns.covers('sales.any.thing')).toBe(true)
  })

  test('a comma behind a backslash belongs to the expression', () => {
    const patterns = new NamePatterns('public\\.a{1\\,2},public.b')
    expect(patterns.covers('public.aa')).toBe(true)
    expect(patterns.covers('public.aaa')).toBe(false)
    expect(patterns.covers('public.b')).toBe(true)
  })

  test('alternatives are anchored as a whole', () => {
    const patterns = new NamePatterns('public.a|public.b')
    expect(patterns.covers('public.b')).toBe(true)
    expect(patterns.covers('public.bc')).toBe(false)
    expect(patterns.covers('xpublic.b')).toBe(false)
  })

  test('quoted parts are literal', () => {
    const patterns = new NamePatterns('\\Qpublic.a+b\\E.*')
    expect(patterns.covers('public.a+b_1')).toBe(true)
    expect(patterns.covers('publicxa+b')).toBe(false)
  })

  test('an empty list covers nothing', () => {
    expect(new NamePatterns('').covers('')).toBe(false)
    expect(new NamePatterns(' , ').covers('a')).toBe(false)
  })

  test.each(['public.(a', 'public.a\\'])('%s is refused by name', (list) => {
    expect(() => new NamePatterns(list)).toThrow(TypeError)
  })

  test('orders by expression first', () => {
    const patterns = new NamePatterns('s.z,s.*')
    expect(patterns.order(['s.a', 's.b', 's.z', 't.a'], (name) => name)).toEqual(['s.z', 's.a', 's.b'])
  })
})
