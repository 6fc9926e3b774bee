import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareRanks, StreamPosition } from './stream-position.ts'

const partition = { bucket: 'b', dir: 'd', stream: 's' }
const at = (stored?: ConstructorParameters<typeof StreamPosition>[1], lookback = 3): StreamPosition =>
  new StreamPosition(partition, stored, 'lexicographic', lookback)

describe('StreamPosition', () => {
  test('goes on in the middle of an object, and knows what was read', () => {
    const first = at()
    first.finished('a', '"1"', 'a', true)
    const offset = first.reading('b', '"2"', 17)
    const next = at(offset)
    expect(next.open).toEqual({ key: 'b', etag: '"2"', record: 17 })
    expect(next.fateOf('a', '"1"', 'a')).toBe('done')
    expect(next.fateOf('a', '"other"', 'a')).toBe('changed')
    expect(next.fateOf('b', '"2"', 'b')).toBe('new')
    expect(at(next.finished('b', '"2"', 'b', true)).open).toBeUndefined()
  })

  test('tells a successor, and nobody else, of what is left to be done with an object', () => {
    const position = at()
    const offset = position.finished('a', '"1"', 'a', false)
    // Its records may not be in the log yet.
    expect(position.fateOf('a', '"1"', 'a')).toBe('done')
    const next = at(offset)
    expect(next.fateOf('a', '"1"', 'a')).toBe('unsettled')
    next.settle('a')
    expect(at(next.offset()).fateOf('a', '"1"', 'a')).toBe('done')
  })

  test('the floor does not pass what is not settled', () => {
    const position = at(undefined, 1)
    position.finished('a', '"1"', 'a', false)
    for (const key of ['b', 'c', 'd']) position.finished(key, '"1"', key, true)
    expect(position.floor).toBe('')
    expect(position.raise('c')).toBeUndefined()
    position.settle('a')
    position.finished('e', '"1"', 'e', true)
    expect(position.floor).toBe('d')
  })

  test('refuses what is no position, and one of another order', () => {
    for (const offset of [
      {},
      { order: 'lexicographic', floor: 1, done: '' },
      { order: 'lexicographic', floor: '', done: 'x' },
    ]) {
      expect(() => at(offset)).toThrow('set or delete it over REST')
    }
    const half = { order: 'lexicographic', floor: '', done: '', key: 'a', etag: 'x', record: -1 }
    expect(() => at(half)).toThrow('set or delete it over REST')
    expect(() => at({ order: 'modified', floor: '', done: '' })).toThrow(/order of modified/)
  })

  test('each object is read once, whatever the order of arrival within the lookback and the restarts between', () => {
    const lookback = 5
    // How far each object comes later than its place in the order, and where there are restarts.
    const steps = fc.array(fc.record({ late: fc.nat(lookback - 1), restart: fc.boolean() }), { maxLength: 60 })
    fc.assert(
      fc.property(steps, (all) => {
        const arrivals = all.map(({ late }, index) => ({ key: String(index).padStart(4, '0'), when: index + late }))
        const read: string[] = []
        let position = at(undefined, lookback)
        for (let now = 0; now < all.length + lookback; now++) {
          const there = arrivals.filter(({ when }) => when <= now).map(({ key }) => key)
          for (const key of there) {
            if (compareRanks(key, position.floor) <= 0 || position.fateOf(key, '"e"', key) !== 'new') continue
            position.finished(key, '"e"', key, true)
            read.push(key)
          }
          position.forgetUnseen()
          if (all[now]?.restart === true) position = at(position.offset(), lookback)
        }
        expect(read.toSorted()).toEqual(arrivals.map(({ key }) => key))
        expect(String(position.offset()['done']).length).toBeLessThanOrEqual(2 * lookback * 16)
      }),
    )
  })

  test('ranks have the order of S3’s listings, by bytes of UTF-8', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'z', 'é', '\ue000', '\uffff', '😀', '𐀀'), maxLength: 4 })
    fc.assert(
      fc.property(text, text, (one, other) => {
        expect(Math.sign(compareRanks(one, other))).toBe(Buffer.compare(Buffer.from(one), Buffer.from(other)))
      }),
    )
  })
})
