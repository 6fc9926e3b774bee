import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareVersions, parseVersionRange } from './version-range.ts'

describe('the order of versions', () => {
  test('is that of Maven', () => {
    const ascending = [
      '0.9',
      '1.0-alpha',
      '1.0-beta2',
      '1.0-rc1',
      '1.0-SNAPSHOT',
      '1.0',
      '1.0-sp',
      '1.0-x',
      '1.0.1',
      '1.9',
      '1.10',
      '2',
    ]
    for (const [i, a] of ascending.entries()) {
      for (const [j, b] of ascending.entries())
        expect([a, b, Math.sign(compareVersions(a, b))]).toEqual([a, b, Math.sign(i - j)])
    }
  })

  test.each([
    ['1', '1.0.0'],
    ['1.0', '1.0-ga'],
    ['1.0-rc1', '1.0-cr1'],
    ['1.0-a1', '1.0-ALPHA-1'],
    ['1.0', '1.0+build.7'],
  ])('%s = %s', (a, b) => expect(compareVersions(a, b)).toBe(0))

  test('is an order, whatever they look like', () => {
    const version = fc.stringMatching(/^[0-9ab.\-rcx]{0,8}$/)
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a))).toBe(0)
        const sorted = [a, b, c].sort(compareVersions)
        expect(compareVersions(sorted[0]!, sorted[2]!)).toBeLessThanOrEqual(0)
      }),
    )
  })
})

describe('a range of versions', () => {
  const versions = ['0.9', '1.0', '1.0.1', '1.5', '2.0', '3.1']
  test.each([
    ['latest', versions],
    [' 1.0 ', ['1.0']],
    ['[1.5]', ['1.5']],
    ['[1.0,2.0)', ['1.0', '1.0.1', '1.5']],
    ['(1.0, 2.0]', ['1.0.1', '1.5', '2.0']],
    ['[1.5,)', ['1.5', '2.0', '3.1']],
    ['(,1.0]', ['0.9', '1.0']],
    ['(,1.0),(2.0,)', ['0.9', '3.1']],
    ['[7,8]', []],
  ])('%s', (range, expected) => expect(versions.filter(parseVersionRange(range))).toEqual(expected))

  test.each(['[1.0', '1.0]', '[1,2,3]', '(1.0)', '[]', '[2,1]', '[1,1)', '1.0 2.0', '[1,2][3,4]', '[1,2] or 3'])(
    '%s is none',
    (range) => {
      expect(() => parseVersionRange(range)).toThrow(/is not a range|neither|there is no version/)
    },
  )
})
