import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { createLogger } from '../logging/logger.ts'
import {
  ConfigEncryption,
  encryptionProblems,
  isEncrypted,
  readEncryptionKeys,
  requireDecrypted,
} from './config-encryption.ts'
import { startHerder, until } from './testing/fixture.ts'
import { MemoryLog } from './testing/memory-log.ts'

const [older, newer] = [randomBytes(32), randomBytes(32)]
const secretsOf = (given: Readonly<Record<string, string>>): Set<string> =>
  new Set(Object.keys(given).filter((name) => name.startsWith('secret')))
const config = { topic: 't', 'secret.a': 'tiger', 'secret.b': 'päss$wörd', 'secret.empty': '' }

describe('secrets of a config', () => {
  const encryption = new ConfigEncryption([newer])

  test('come back as they were, whatever they are, and nothing of them is in what is stored', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string(), (value, connector) => {
        const stored = encryption.encrypt(connector, { secret: value }, secretsOf)
        expect(isEncrypted(stored['secret']!)).toBe(true)
        expect(encryption.decrypt(connector, stored)).toEqual({ secret: value })
      }),
    )
    const text = JSON.stringify(encryption.encrypt('c', config, secretsOf))
    expect(text).toContain('"topic":"t"')
    expect(text).not.toMatch(/tiger|rd"/)
  })

  test('are stored differently each time, and not encrypted twice', () => {
    const once = encryption.encrypt('c', config, secretsOf)
    expect(encryption.encrypt('c', config, secretsOf)['secret.a']).not.toBe(once['secret.a'])
    expect(encryption.encrypt('c', once, secretsOf)).toEqual(once)
  })

  test('cannot be moved to another setting or connector, or changed', () => {
    const { 'secret.a': a } = encryption.encrypt('c', config, secretsOf)
    const changed = `${a!.slice(0, -6)}${a!.at(-6) === 'A' ? 'B' : 'A'}${a!.slice(-5)}`
    expect(encryption.decrypt('c', { topic: a! })).toEqual({ topic: a })
    expect(encryption.decrypt('d', { 'secret.a': a! })).toEqual({ 'secret.a': a })
    expect(encryption.decrypt('c', { 'secret.a': changed })).toEqual({ 'secret.a': changed })
    for (const broken of ['$tidewire-encrypted:1:', '$tidewire-encrypted:1:0123456789abcdef:AA==']) {
      expect(encryption.decrypt('c', { 'secret.a': broken })).toEqual({ 'secret.a': broken })
    }
  })

  test('without a key are stored as they are, and what is encrypted is told by name', () => {
    const none = new ConfigEncryption()
    expect(none.encrypt('c', config, secretsOf)).toBe(config)
    const stored = none.decrypt('c', encryption.encrypt('c', config, secretsOf))
    expect(Object.keys(encryptionProblems(stored))).toEqual(['secret.a', 'secret.b'])
    expect(() => requireDecrypted(stored)).toThrow(
      /secret\.a is stored encrypted with key [0-9a-f]{16}.*config\.storage\.encryption\.key/,
    )
    expect(() => requireDecrypted(config)).not.toThrow()
  })
})

describe('a new key', () => {
  const before = new ConfigEncryption([older])
  const after = new ConfigEncryption([newer, older])
  const stored = before.encrypt('c', config, secretsOf)

  test('encrypts, and the old one still decrypts', () => {
    const read = after.decrypt('c', stored)
    expect(read).toEqual(config)
    const rewritten = after.encrypt('c', read, secretsOf)
    expect(before.decrypt('c', rewritten)).toEqual(rewritten)
    expect(new ConfigEncryption([newer]).decrypt('c', rewritten)).toEqual(config)
  })

  test('is asked for where a config was stored with the old one, or in clear', () => {
    expect(before.isCurrent(before.decrypt('c', stored), secretsOf)).toBe(true)
    expect(after.isCurrent(after.decrypt('c', stored), secretsOf)).toBe(false)
    expect(after.isCurrent(config, secretsOf)).toBe(false)
    expect(after.isCurrent(after.decrypt('c', after.encrypt('c', config, secretsOf)), secretsOf)).toBe(true)
    expect(after.isCurrent({ topic: 't' }, secretsOf)).toBe(true)
    expect(new ConfigEncryption().isCurrent(config, secretsOf)).toBe(true)
  })
})

describe('keys', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test('are in base64 or hexadecimal, in a setting or one a line in a file', async () => {
    const file = join(folder, 'keys')
    writeFileSync(file, `# newest first\n${newer.toString('hex')}\n\n${older.toString('base64')}\r\n`)
    expect(await readEncryptionKeys(undefined, file)).toEqual([newer, older])
    expect(await readEncryptionKeys(`${older.toString('base64')}, ${newer.toString('hex')}`, undefined)).toEqual([
      older,
      newer,
    ])
    expect(await readEncryptionKeys(undefined, undefined)).toEqual([])
  })

  test('that are none are refused by place, and not shown', async () => {
    const short = randomBytes(16).toString('base64')
    await expect(readEncryptionKeys(`${newer.toString('hex')},${short}`, undefined)).rejects.toThrow(
      /^config\.storage\.encryption\.key: key 2 is not 32 bytes/,
    )
    const error: unknown = await readEncryptionKeys(short, undefined).catch((thrown: unknown) => thrown)
    expect(String(error)).not.toContain(short)
    await expect(readEncryptionKeys(undefined, join(folder, 'none'))).rejects.toThrow(/cannot be read: ENOENT/)
    writeFileSync(join(folder, 'empty'), '# no key yet\n')
    await expect(readEncryptionKeys(undefined, join(folder, 'empty'))).rejects.toThrow(/holds no key/)
  })
})

test('a worker that has a key tells at its start of secrets that are not encrypted with it', async () => {
  const log = new MemoryLog()
  const lines: [message: string, details: unknown][] = []
  const logger = createLogger({ write: (_, message, details) => void lines.push([message, details]) })
  const told = () =>
    lines.filter(([message]) => message.includes('tidewire cluster reencrypt')).map(([, details]) => details)
  const plain = await startHerder(log)
  await plain.herder.writes.putConfig('a', { 'connector.class': 'test-source', url: 'tcp://x', password: 'hunter2' })
  await plain.herder.writes.putConfig('b', { 'connector.class': 'test-source', url: 'tcp://x' })
  await plain.herder.close()

  const first = await startHerder(log, { encryption: new ConfigEncryption([older]), logger })
  await until(() => told().length > 0)
  expect(told()).toEqual([{ connectors: 'a', count: 1 }])
  expect(await first.herder.reencrypt()).toEqual({ a: 'reencrypted', b: 'current' })
  expect(await first.herder.reencrypt()).toEqual({ a: 'current', b: 'current' })
  await first.herder.close()
  expect(log.records('connect-configs').findLast(({ key }) => key === 'connector-a')?.value).not.toContain('hunter2')
  expect(JSON.stringify(lines)).not.toContain('hunter2')
})
