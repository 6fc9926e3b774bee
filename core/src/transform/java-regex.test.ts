import { readFileSync } from 'node:fs'
import { isErrorKind } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { JavaRegex } from './java-regex.ts'

const file = new URL('../../../test/vectors/transforms/regex.json', import.meta.url)
const vectors = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly texts: readonly string[]
  readonly patterns: readonly {
    readonly pattern: string
    readonly replacement: string
    readonly error?: string
    readonly replacementError?: string
    readonly whole?: readonly number[]
    readonly replaced?: Readonly<Record<string, string>>
  }[]
}

/** What Java takes, be it by chance, and we refuse. */
const refused = [
  '{1}',
  '[a&&]',
  '\\G.',
  '\\X',
  '(?u)a',
  '(?U)\\w',
  '(?d).',
  '\\p{InGreek}',
  '\\p{javaLowerCase}',
  '\\b{g}',
  '\\N{LATIN SMALL LETTER A}',
]

/** A group keeps the text of an earlier round in Java, and a round may match the empty text. */
const different = ['((a)|(b))+', '(?:|a)?b?']

describe('as java.util.regex', () => {
  test.each(vectors.patterns.map((each) => [each.pattern, each.replacement, each] as const))(
    '%s → %s',
    (pattern, _r, each) => {
      const { texts } = vectors
      if (each.error !== undefined || refused.includes(pattern)) {
        expect(() => new JavaRegex(pattern)).toThrow(RangeError)
        return
      }
      const regex = new JavaRegex(pattern)
      const whole = texts.flatMap((text) => (regex.matches(text) ? [text] : []))
      expect(whole).toEqual(each.whole!.map((i) => texts[i]))
      if (each.replacementError !== undefined) {
        expect(() => regex.replacement(each.replacement)).toThrow(RangeError)
        return
      }
      const replacement = regex.replacement(each.replacement)
      const replaced = texts.map((text) => regex.replaceFirst(text, replacement))
      const inJava = texts.map((text, i) => each.replaced![i] ?? text)
      if (different.includes(pattern)) expect(replaced).not.toEqual(inJava)
      else expect(replaced).toEqual(inJava)
    },
  )
})

test('a match that would take for ever is cut off', () => {
  const regex = new JavaRegex('(a+)+b')
  expect(regex.matches('aaab')).toBe(true)
  let thrown: unknown
  try {
    regex.matches('a'.repeat(60))
  } catch (error) {
    thrown = error
  }
  expect(isErrorKind(thrown, 'DataError')).toBe(true)
  expect(regex.matches('ab')).toBe(true)
})

test('what is refused is named with its place', () => {
  expect(() => new JavaRegex('a\\Gb')).toThrow(
    'regular expression a\\Gb: what stands at 1 is \\G, which is not supported',
  )
})
