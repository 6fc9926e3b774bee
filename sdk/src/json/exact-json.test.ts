import { Decimal } from '../schema.ts'
import { expect, test } from 'vitest'
import { stringifyExact } from './exact-json.ts'

test.each<[unknown, string]>([
  [new Map([['a', 1]]), '{"a":1}'],
  [Buffer.from('hi'), '"aGk="'],
  [{ a: new Map<string, unknown>([['b', [new Map()]]]) }, '{"a":{"b":[{}]}}'],
  [[new Map([[1, 'x']])], '[[[1,"x"]]]'],
  [{ a: { b: Buffer.from('hi') } }, '{"a":{"b":"aGk="}}'],
  [{ a: [Uint8Array.of(104, 105), new Uint8Array()] }, '{"a":["aGk=",""]}'],
  [{ a: 9007199254740993n, b: Buffer.from('hi') }, '{"a":9007199254740993,"b":"aGk="}'],
  [{ price: Decimal.parse('12.50'), much: Decimal.parse('1e999999999') }, '{"price":12.50,"much":1E+999999999}'],
  [{ a: {}, type: 'Buffer', b: { '0': 1 }, c: '{}' }, '{"a":{},"type":"Buffer","b":{"0":1},"c":"{}"}'],
  [Number.NaN, '"NaN"'],
  [
    { a: null, b: [1, null, Infinity], c: { d: -Infinity } },
    '{"a":null,"b":[1,null,"Infinity"],"c":{"d":"-Infinity"}}',
  ],
  [{ a: null, b: [1, null, 'null'] }, '{"a":null,"b":[1,null,"null"]}'],
  [{ a: NaN, b: 9007199254740993n }, '{"a":"NaN","b":9007199254740993}'],
])('what JSON.stringify has no form for is written wherever it is: %#', (value, text) => {
  expect(stringifyExact(value)).toBe(text)
})
