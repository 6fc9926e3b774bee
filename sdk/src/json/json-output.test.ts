import fc from 'fast-check'
import { expect, test } from 'vitest'
import { doubleText } from '../values/java-number-text.ts'
import { JsonOutput } from './json-output.ts'
import { quote } from './json-text.ts'

const output = new JsonOutput()

function written(write: (output: JsonOutput) => void): string {
  output.begin()
  write(output)
  return output.take().toString()
}

const few = fc
  .tuple(fc.integer({ min: -1e9, max: 1e9 }), fc.integer({ min: 0, max: 6 }))
  .map(([digits, places]) => digits / 10 ** places)
const finite = fc.double({ noDefaultInfinity: true, noNaN: true })

test('numbers', () => {
  fc.assert(
    fc.property(fc.oneof(few, finite, fc.integer(), fc.maxSafeInteger()), (value) => {
      expect(written((to) => to.number(value))).toBe(JSON.stringify(value))
      expect(written((to) => to.double(value))).toBe(doubleText(value))
      if (Number.isSafeInteger(value)) expect(written((to) => to.integer(value))).toBe(JSON.stringify(value))
    }),
    { numRuns: 20_000 },
  )
})

test('integers of every length', () => {
  for (let length = 0; length < 16; length++) {
    for (const value of [10 ** length - 1, 10 ** length, 10 ** length + 1, Number.MAX_SAFE_INTEGER]) {
      for (const signed of [value, -value]) expect(written((to) => to.integer(signed))).toBe(JSON.stringify(signed))
    }
  }
})

test('texts of every length and character', () => {
  const unit = fc.oneof(fc.integer({ min: 0, max: 0x7f }), fc.integer({ min: 0, max: 0xd7ff }), fc.constant(0x1f600))
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 300 }), (codes) => {
      const text = String.fromCodePoint(...codes)
      expect(written((to) => to.quoted(text))).toBe(quote(text))
    }),
    { numRuns: 1000 },
  )
  for (let code = 0; code < 0x10000; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue
    const char = String.fromCharCode(code)
    if (written((to) => to.quoted(char)) !== quote(char)) expect.fail(`character ${code}`)
  }
})

test('messages of any size lie beside each other, whole', () => {
  const sizes = [1, 100, 1000, 30_000, 70_000, 5, 1_000_000, 10, 65_530, 10]
  const messages = sizes.map((size, index) => {
    output.begin()
    // In pieces, so that it grows half-way.
    for (let piece = 0; piece < size; piece += 5) output.ascii('abcde'.slice(0, Math.min(5, size - piece)))
    output.byte(index)
    const message = output.take()
    if (size > 65_536) expect(message.buffer.byteLength).toBe(size + 1)
    return message
  })
  messages.forEach((message, index) => {
    const size = sizes[index]!
    expect(message.length).toBe(size + 1)
    expect(message.toString('latin1', 0, size)).toBe('abcde'.repeat(Math.ceil(size / 5)).slice(0, size))
    expect(message[size]).toBe(index)
  })
})

test('a message that failed half-way leaves nothing in the next', () => {
  output.begin()
  output.ascii('half')
  expect(written((to) => to.ascii('next'))).toBe('next')
})
