import { describe, expect, test } from 'vitest'
import { maskSecrets, Secrets, secretMask, secretValues } from './secrets.ts'

const settings = {
  password: { type: 'password', doc: 'd' },
  url: { type: 'string', doc: 'd' },
} as const

function knowing(...values: string[]): Secrets {
  const secrets = new Secrets()
  secrets.add(values)
  return secrets
}

describe('secrets in texts', () => {
  test('are masked wherever they stand, also as they are in URLs and in JSON', () => {
    const { scrub } = knowing(' p&"ss/word ', 'tiger', 'tiger-two', 'a.c+')
    expect(scrub('db://x:p%26%22ss%2Fword@h {"p":"p&\\"ss/word"} p&"ss/word')).toBe(
      `db://x:${secretMask}@h {"p":"${secretMask}"} ${secretMask}`,
    )
    expect(scrub('tiger-two, tiger; a.c+ abc')).toBe(`${secretMask}, ${secretMask}; ${secretMask} abc`)
  })

  test('of fewer than four characters, and the mask itself, are left', () => {
    expect(knowing('abc', '', secretMask).scrub(`abcdef ${secretMask}`)).toBe(`abcdef ${secretMask}`)
  })

  test('are masked in all that a log line holds, which is not changed itself', () => {
    const secrets = knowing('tiger')
    const ring: Record<string, unknown> = { note: 'tiger' }
    ring['self'] = ring
    const details = { a: ['tiger', 7n], b: { c: 'x tiger' }, d: new Map([['k', 'tiger']]), ring, n: null }
    const text = JSON.stringify(secrets.scrubAll(details), (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    )
    expect(text).not.toContain('tiger')
    expect(text).toContain('"n":null')
    expect(details.a[0]).toBe('tiger')
  })

  test('are masked in errors and their causes, whose kind stays', () => {
    const cause = Object.assign(new Error('login tiger refused'), { code: 'EAUTH' })
    const error = Object.assign(new Error('cannot use tiger', { cause }), { name: 'RetriableError', retriable: true })
    const clean = knowing('tiger').scrubAll(error)
    expect(clean).toMatchObject({ name: 'RetriableError', retriable: true, cause: { code: 'EAUTH' } })
    expect(`${clean.message} ${clean.stack} ${String((clean.cause as Error).stack)}`).not.toContain('tiger')
  })
})

describe('a config', () => {
  test('is shown with its secrets masked, and with references that say where one is', () => {
    const config = { password: '${env:PW}', url: '${env:URL}', 'my.token': 'x' }
    const isReference = (value: string): boolean => value.startsWith('${env:')
    expect(maskSecrets(config, settings, {}, isReference)).toEqual({ ...config, 'my.token': secretMask })
    expect(maskSecrets(config, settings, {})).toEqual({ ...config, password: secretMask, 'my.token': secretMask })
    expect(maskSecrets(config, undefined, {}, isReference)).toEqual({ ...config, 'my.token': secretMask })
  })

  test('is masked too where a setting that nobody declares holds a secret, as one that a connector made for its task', () => {
    const config = { password: 'tiger', url: 'tiger-shop', 'task.login': 'scott:tiger@db', 'task.id': '7' }
    expect(maskSecrets(config, settings, {})).toEqual({ ...config, password: secretMask, 'task.login': secretMask })
    const short = { password: 'abc', 'task.id': 'abc' }
    expect(maskSecrets(short, settings, {})).toEqual({ ...short, password: secretMask })
  })

  test('holds as secrets what is declared so, and what sounds so', () => {
    expect(secretValues({ password: 'a', url: 'b', 'my.token': 'c' }, settings, {})).toEqual(['a', 'c'])
  })
})
