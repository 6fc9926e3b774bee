import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventRing } from './event-ring.ts'

test('holds what came last, within its number and bytes, and knows what came after each id that it holds', () => {
  const entry = fc.string({ maxLength: 30 })
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 60 }), (texts) => {
      const ring = new EventRing({ maxEvents: 10, maxBytes: 200 })
      const ids = [ring.lastId]
      for (const text of texts) {
        ring.add('e', undefined, { text })
        ids.push(ring.lastId)
      }
      const data = texts.map((text) => JSON.stringify({ text }))
      const held = ids.map((id) => ring.since(id)?.map((event) => event.data))
      // From some id on all is known, and before it nothing.
      const first = held.findIndex((events) => events !== undefined)
      for (const [i, events] of held.entries()) expect(events).toEqual(i < first ? undefined : data.slice(i))
      const kept = held[first]!
      expect(kept.length).toBeLessThanOrEqual(10)
      expect(kept.join('').length).toBeLessThanOrEqual(200)
      const one = first === 0 ? 0 : data[first - 1]!.length
      expect(first === 0 || kept.length === 10 || kept.join('').length + one > 200).toBe(true)
      expect(ring.since(ring.lastId)).toEqual([])
    }),
  )
})

test('does not know ids of another life, or of none', () => {
  const ring = new EventRing({ maxEvents: 10, maxBytes: 200 })
  const other = new EventRing({ maxEvents: 10, maxBytes: 200 })
  ring.add('e', 'a', {})
  const [life] = ring.lastId.split('-')
  for (const id of [other.lastId, '', '0', `${life}-2`, `${life}-x`, `${life}-`]) expect(ring.since(id)).toBeUndefined()
  expect(ring.since(`${life}-0`)).toHaveLength(1)
})

test('tells those who listen, for as long as they do', () => {
  const ring = new EventRing({ maxEvents: 1, maxBytes: 200 })
  const heard: string[] = []
  const unlisten = ring.listen(({ event, connector, data }) => void heard.push(`${event} ${connector} ${data}`))
  ring.add('status', 'a', { state: 'RUNNING' })
  unlisten()
  ring.add('status', 'a', { state: 'FAILED' })
  expect(heard).toEqual(['status a {"state":"RUNNING"}'])
})
