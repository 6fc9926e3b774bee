import { Decimal } from '@tidewire/sdk'
import { expect, test } from 'vitest'
import { keyText } from './key-text.ts'

test('what stands for the same key has one text', () => {
  expect(keyText(5)).toBe(keyText('5'))
  expect(keyText(2n ** 60n)).toBe(keyText(String(2n ** 60n)))
  expect(keyText(new Decimal(1250n, 2))).toBe(keyText('12.50'))
  expect(keyText(Buffer.from('a'))).toBe(keyText('a'))
  expect(keyText({ a: 1, b: null })).toBe(keyText(new Map([['a', 1]])))
  expect(keyText({ a: 1, b: [2] })).toBe(keyText({ b: [2], a: 1 }))
})

test('what stands for another key has another', () => {
  const bytes = (text: string) => Buffer.from(text)
  expect(keyText({ a: bytes('x,"b":y'), b: null })).not.toBe(keyText({ a: bytes('x'), b: bytes('y') }))
  expect(keyText([bytes('1,2')])).not.toBe(keyText([1, 2]))
  expect(keyText({ a: '1,"b":2' })).not.toBe(keyText({ a: 1, b: 2 }))
  expect(keyText(['null'])).not.toBe(keyText([null]))
})
