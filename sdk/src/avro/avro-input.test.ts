import { isErrorKind } from '../errors.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAvro } from './parse.ts'
import { AvroInput } from './avro-input.ts'
import { AvroOutput } from './avro-output.ts'
import { avroReading } from './avro-to-connect.ts'
import type { AvroOptions } from './options.ts'

function inputOf(bytes: Uint8Array): AvroInput {
  const input = new AvroInput()
  input.start(Buffer.from(bytes), 0)
  return input
}

const written = (write: (output: AvroOutput) => void): Buffer => {
  const output = new AvroOutput()
  write(output)
  return output.take()
}

describe('longs', () => {
  test('any, as the specification has them', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const safe = Number.isSafeInteger(Number(value))
        const bytes = written((output) => (safe ? output.long(Number(value)) : output.bigLong(value)))
        expect(bytes).toEqual(written((output) => output.bigLong(value)))
        expect(inputOf(bytes).long()).toBe(safe ? Number(value) : value)
      }),
    )
  })

  test.each([
    [0, '00'],
    [-1, '01'],
    [1, '02'],
    [-64, '7f'],
    [64, '8001'],
    [2 ** 31, '8080808010'],
    [Number.MAX_SAFE_INTEGER, 'feffffffffffff1f'],
    [Number.MIN_SAFE_INTEGER, 'fdffffffffffff1f'],
  ])('%s is %s', (value, hex) => {
    expect(written((output) => output.long(value)).toString('hex')).toBe(hex)
    expect(inputOf(Buffer.from(hex, 'hex')).long()).toBe(value)
  })

  test.each(['80', 'ffffffffffffffffff02', 'ffffffffffffffffffffff01'])('%s is none', (hex) => {
    expect(() => inputOf(Buffer.from(hex, 'hex')).long()).toThrow()
  })
})

test('strings of all lengths and characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (given) => {
      const text = given.toWellFormed()
      const bytes = written((output) => output.string(text))
      expect(bytes.subarray(-Buffer.byteLength(text) || bytes.length).toString()).toBe(text)
      expect(inputOf(bytes).string()).toBe(text)
    }),
  )
})

describe('lengths that are not there are refused before anything is made for them', () => {
  const options: AvroOptions = {
    connectMetaData: true,
    enhancedSchemas: false,
    generalizedSumTypes: false,
    scrubInvalidNames: false,
    discardTypeDocDefault: false,
    optionalMapKeys: false,
    flattenSingletonUnions: true,
    ignoreDefaultForNullables: false,
  }
  const empty = '{"type":"record","name":"Empty","fields":[]}'
  test.each([
    ['a string', '"string"'],
    ['bytes', '"bytes"'],
    ['an array', '{"type":"array","items":"int"}'],
    ['an array of what takes no bytes', `{"type":"array","items":${empty}}`],
    ['a map', '{"type":"map","values":"int"}'],
  ])('%s', (_name, schema) => {
    const { read } = avroReading(parseAvro(schema).schema, options)
    for (const length of [2 ** 40, 2 ** 31, -(2 ** 40), 100_000]) {
      const bytes = written((output) => output.long(length))
      let error: unknown
      try {
        read(inputOf(Buffer.concat([bytes, Buffer.alloc(8)])))
      } catch (thrown) {
        error = thrown
      }
      expect(isErrorKind(error, 'DataError')).toBe(true)
    }
  })

  test('arrays of arrays of what takes no bytes', () => {
    const { read } = avroReading(
      parseAvro(`{"type":"array","items":{"type":"array","items":${empty}}}`).schema,
      options,
    )
    // Of 200,000 bytes, 40,000 times 60,000 records.
    const inner = written((output) => {
      output.long(60_000)
      output.byte(0)
    })
    const message = written((output) => {
      output.long(40_000)
      for (let index = 0; index < 40_000; index++) output.raw(inner)
      output.byte(0)
    })
    expect(() => read(inputOf(message))).toThrow('ends before')
  })

  test('a few empty records are read', () => {
    const { read } = avroReading(parseAvro(`{"type":"array","items":${empty}}`).schema, options)
    expect(read(inputOf(Uint8Array.of(6, 0)))).toEqual([{}, {}, {}])
  })
})
