import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InvalidRegexError, TopicRegex } from './topic-regex.ts'

const matches = (pattern: string, name: string) => new TopicRegex(pattern).matches(name)

/** Repetitions in each other multiply. */
function isSmall(pattern: string): boolean {
  try {
    return new TopicRegex(pattern).source !== ''
  } catch (error) {
    if (error instanceof InvalidRegexError && error.message.includes('too large')) return false
    throw error
  }
}

describe('matches the whole name, as RE2 would', () => {
  test.for<[pattern: string, yes: string[], no: string[]]>([
    ['orders', ['orders'], ['orders2', 'my-orders', '']],
    ['orders.*', ['orders', 'orders-eu'], ['my-orders']],
    ['^orders$', ['orders'], ['orders1']],
    ['a|bc|', ['a', 'bc', ''], ['abc', 'b']],
    ['(a|b)+c?', ['a', 'abab', 'bc'], ['c', 'abcc', '']],
    ['a{2,3}', ['aa', 'aaa'], ['a', 'aaaa']],
    ['a{2}b{0}c{1,}', ['aac', 'aacc'], ['aabc', 'aa']],
    ['a{,2}', ['a{,2}'], ['a']],
    ['x*?y+?z??', ['y', 'xxyyz'], ['xz']],
    ['[a-c_.-]+', ['a', 'b_c', '.-'], ['d', '']],
    ['[^0-9]+', ['abc'], ['a1']],
    ['[]a]', ['a'], ['b']],
    ['[[:alpha:]][[:^alpha:]]', ['a1', 'b-'], ['ab', '11']],
    ['[\\d\\-]+\\w\\W\\S', ['1-2a.b'], ['1-2aab']],
    ['\\Qa.b\\E.', ['a.bc'], ['axbc', 'a.b']],
    ['\\x61\\x{62}\\.\\_', ['ab._'], ['abx_']],
    ['\\pL+\\p{Nd}\\P{L}', ['ab1-'], ['ab-1', 'ab1a']],
    ['(?i)ORDERS', ['orders', 'Orders'], ['order']],
    ['(?i:o)RDERS', ['oRDERS', 'ORDERS'], ['orders']],
    ['(?P<name>a)(?<other>b)(?:c)', ['abc'], ['ab']],
    ['(?i)[A-C]x(?-i)y', ['aXy', 'bxy'], ['axY']],
    ['(?s).+(?U)a*', ['ba'], ['']],
    ['\\ba\\b.\\Bb|\\Aab\\z', ['ab'], ['a.b', 'aab']],
    ['(?m)^a$', ['a'], ['b']],
    ['()|(?:)', [''], ['a']],
    ['(a*)*', ['', 'aaa'], ['b']],
    ['[[:word:]]+', ['a_1'], ['a-1']],
    ['\\C+', ['a-1'], ['']],
  ])('%s', ([pattern, yes, no]) => {
    expect(yes.filter((name) => matches(pattern, name))).toEqual(yes)
    expect(no.filter((name) => matches(pattern, name))).toEqual([])
  })

  test('agrees with JavaScript where both have the same syntax', () => {
    const { pattern } = fc.letrec((tie) => ({
      atom: fc.oneof(
        fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', '\\.', '-', '\\d', '^', '$', '\\b'),
        fc.tuple(tie('pattern')).map(([inner]) => `(${String(inner)})`),
      ),
      piece: fc
        .tuple(tie('atom'), fc.constantFrom('', '', '*', '+', '?', '*?', '{2}', '{1,3}', '{0,1}'))
        .map(([atom, times]) => (['^', '$', '\\b'].includes(String(atom)) ? String(atom) : `${String(atom)}${times}`)),
      pattern: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.array(tie('piece'), { maxLength: 4 }).map((pieces) => pieces.join('')),
        fc.tuple(tie('pattern'), tie('pattern')).map(([left, right]) => `${String(left)}|${String(right)}`),
      ),
    }))
    const names = fc.array(fc.constantFrom('a', 'b', 'c', '.', '-', '1'), { maxLength: 7 }).map((each) => each.join(''))
    fc.assert(
      fc.property(pattern, names, (text, name) => {
        fc.pre(isSmall(text))
        expect(matches(text, name)).toBe(new RegExp(`^(?:${text})$`).test(name))
      }),
      { numRuns: 300 },
    )
  })
})

describe('refuses', () => {
  test.for([
    '(',
    ')',
    'a)',
    '(?',
    '(?P<',
    '[a',
    '[b-a]',
    '[[:nope:]]',
    '*',
    '+a',
    '?',
    'a**',
    'a{2,1}',
    'a{1001}',
    '\\',
    '\\1',
    '\\k<a>',
    '(?=a)',
    '(?!a)',
    '(?<=a)',
    '(?>a)',
    '\\p{Nope}',
    '\\x{110000}',
    '(?z)a',
    'a{2}{3}',
    '(a{1000}){1000}',
    '('.repeat(300) + ')'.repeat(300),
  ])('%s', (pattern) => {
    expect(() => new TopicRegex(pattern)).toThrow(InvalidRegexError)
  })
})

test('takes time in proportion, whatever the pattern', () => {
  const name = 'a'.repeat(249)
  // Exponential for an engine that backtracks.
  expect(matches('(a*)*(a*)*(a|aa)+b', name)).toBe(false)
  expect(matches('(a?){100}a{100}', 'a'.repeat(100))).toBe(true)
})
