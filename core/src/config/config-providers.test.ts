import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigProviders, parseConfigProviders, withReferences } from './config-providers.ts'

const folder = mkdtempSync(join(tmpdir(), 'providers-'))
const properties = join(folder, 'allowed', 'db.properties')
const outside = join(folder, 'outside.properties')

beforeAll(() => {
  mkdirSync(join(folder, 'allowed', 'keys'), { recursive: true })
  writeFileSync(properties, 'user = scott\npassword=tiger : and more\nnested=${env:NAME}\n')
  writeFileSync(outside, 'password=other\n')
  writeFileSync(join(folder, 'allowed', 'keys', 'token'), 't0ken\n')
  symlinkSync(outside, join(folder, 'allowed', 'link.properties'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const env = { NAME: 'here', EMPTY: '', OTHER: 'there' }
const all = new ConfigProviders(
  [
    { name: 'env', kind: 'env' },
    { name: 'file', kind: 'file' },
    { name: 'dir', kind: 'directory' },
  ],
  env,
)
const one = async (value: string, providers = all) => {
  const { config, errors } = await providers.resolve({ setting: value })
  return errors['setting']?.join('; ') ?? config['setting']
}

describe('references', () => {
  test('are resolved, several in a value, with text around them', async () => {
    expect(await one(`\${env:NAME}-\${env:OTHER}/\${env:NAME}\${env:EMPTY}`)).toBe('here-there/here')
    expect(await one(`\${file:${properties}:user}`)).toBe('scott')
    expect(await one(`\${file:${properties}:password}`)).toBe('tiger : and more')
    expect(await one(`\${dir:${folder}/allowed/keys:token}`)).toBe('t0ken\n')
  })

  test('in what is put in are text: nothing is resolved twice', async () => {
    expect(await one(`\${file:${properties}:nested}`)).toBe('${env:NAME}')
  })

  test('to a provider that there is none of are text, and so is what has no colon', async () => {
    expect(await one('${vault:secret:key}-${topic}')).toBe('${vault:secret:key}-${topic}')
    expect(await one('${env:NAME}', new ConfigProviders([], env))).toBe('${env:NAME}')
  })

  test('that cannot be resolved are named, all of them, with the reason', async () => {
    const { config, errors } = await all.resolve({
      a: 'x${env:MISSING}${env:NAME}',
      b: `\${file:${properties}:missing}`,
      c: `\${file:${folder}/none:user}`,
      d: `\${dir:${folder}/allowed:../outside.properties}`,
      e: `\${file:/dev/zero:user}`,
      f: '${env:some/path:NAME}',
      g: '${file::user}',
    })
    expect(errors).toEqual({
      a: [
        'Configuration a: ${env:MISSING} cannot be resolved: environment variable MISSING is not set for this worker',
      ],
      b: [expect.stringContaining(`${properties} has no key missing`)],
      c: [expect.stringContaining('ENOENT')],
      d: [expect.stringContaining('not the name of a file')],
      e: [expect.stringContaining('/dev/zero is not a file')],
      f: [expect.stringContaining('has no path')],
      g: [expect.stringContaining('expected ${provider:/path:key}')],
    })
    expect(config['a']).toBe('x${env:MISSING}here')
    expect(JSON.stringify(errors)).not.toMatch(/tiger|scott/)
  })

  test('of a file that was changed are read anew', async () => {
    const path = join(folder, 'changing.properties')
    writeFileSync(path, 'key=first')
    expect(await one(`\${file:${path}:key}`)).toBe('first')
    writeFileSync(path, 'key=second')
    expect(await one(`\${file:${path}:key}`)).toBe('second')
  })

  test('are told from secrets', () => {
    expect(all.isReference('${env:NAME}')).toBe(true)
    expect(all.isReference(' ${env:NAME}${file:a:b} ')).toBe(true)
    expect(all.isReference('p${env:NAME}')).toBe(false)
    expect(all.isReference('${vault:NAME}')).toBe(false)
    expect(all.isReference('')).toBe(false)
    expect(all.hasReference('p${env:NAME}')).toBe(true)
  })
})

describe('what a provider may read', () => {
  const limited = new ConfigProviders(
    [
      { name: 'file', kind: 'file', allowedPaths: [join(folder, 'allowed')] },
      { name: 'dir', kind: 'directory', allowedPaths: [join(folder, 'allowed', 'keys')] },
      { name: 'env', kind: 'env', allowlistPattern: 'NA.*' },
    ],
    env,
  )
  const refused = /does not allow/

  test('is what is below its allowed paths, not what a path or a link leads to from there', async () => {
    expect(await one(`\${file:${properties}:user}`, limited)).toBe('scott')
    expect(await one(`\${dir:${folder}/allowed/keys:token}`, limited)).toBe('t0ken\n')
    expect(await one(`\${file:${outside}:password}`, limited)).toMatch(refused)
    expect(await one(`\${file:${folder}/allowed/../outside.properties:password}`, limited)).toMatch(refused)
    expect(await one(`\${file:${folder}/allowed-too:password}`, limited)).toMatch(refused)
    expect(await one(`\${file:${folder}/allowed/link.properties:password}`, limited)).toMatch(refused)
    expect(await one(`\${dir:${folder}/allowed:db.properties}`, limited)).toMatch(refused)
    expect(await one('${file:allowed/db.properties:user}', limited)).toMatch(refused)
  })

  test('are the variables whose whole name the pattern matches', async () => {
    expect(await one('${env:NAME}', limited)).toBe('here')
    expect(await one('${env:OTHER}', limited)).toMatch(refused)
    expect(await one('${env:XNAME}', limited)).toMatch(refused)
  })
})

describe('task configs that a connector made of resolved settings', () => {
  test('get the references back, also in settings that hold the value among other text', async () => {
    const config = {
      url: 'db.example',
      password: `\${file:${properties}:password}`,
      user: `\${file:${properties}:user}`,
    }
    const resolved = await all.resolve(config)
    const made = { ...resolved.config, 'task.url': 'scott:tiger : and more@db', 'task.id': '3' }
    expect(withReferences(made, config, resolved)).toEqual({
      ...config,
      'task.url': `\${file:${properties}:user}:\${file:${properties}:password}@db`,
      'task.id': '3',
    })
  })
})

describe('config.providers', () => {
  const parse = (raw: Record<string, string>) => parseConfigProviders(raw)

  test('are known by the class names of Kafka, their simple names and short ones', () => {
    const { providers, errors } = parse({
      'config.providers': 'env, secrets ,vars,dir',
      'config.providers.secrets.class': 'org.apache.kafka.common.config.provider.FileConfigProvider',
      'config.providers.secrets.param.allowed.paths': '/run/secrets,/etc/keys',
      'config.providers.vars.class': 'EnvVarConfigProvider',
      'config.providers.vars.param.allowlist.pattern': 'APP_.*',
    })
    expect(errors).toEqual({})
    expect(providers).toEqual([
      { name: 'env', kind: 'env' },
      { name: 'secrets', kind: 'file', allowedPaths: ['/run/secrets', '/etc/keys'] },
      { name: 'vars', kind: 'env', allowlistPattern: 'APP_.*' },
      { name: 'dir', kind: 'directory' },
    ])
  })

  test('that are none, and settings that make no sense, are named', () => {
    const { errors, warnings } = parse({
      'config.providers': 'vault,env,file',
      'config.providers.vault.class': 'com.example.VaultConfigProvider',
      'config.providers.env.param.allowlist.pattern': '(',
      'config.providers.file.param.allowed.paths': 'secrets',
      'config.providers.file.param.allowed.path': '/x',
    })
    expect(Object.keys(errors)).toEqual([
      'config.providers.vault.class',
      'config.providers.env.param.allowlist.pattern',
      'config.providers.file.param.allowed.paths',
    ])
    expect(warnings).toEqual(['Unknown configuration config.providers.file.param.allowed.path has no effect'])
  })
})
