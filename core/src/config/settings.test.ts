import { defineConfig } from '@tidewire/sdk'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sinkSettings } from './connector-settings.ts'
import { kafkaDefinition, kafkaGroups } from './kafka-definition.ts'
import { maskSecrets, secretMask, unmaskSecrets } from './secrets.ts'
import { compileSettings } from './settings.ts'

const settings = defineConfig({
  file: { type: 'string', required: true, doc: 'File to read.', importance: 'high' },
  'tasks.max': { type: 'int', default: 1, minimum: 1, doc: 'Most tasks.' },
  'size.bytes': { type: 'long', doc: 'Bytes.' },
  ratio: { type: 'double', minimum: 0, maximum: 1, doc: 'A ratio.' },
  follow: { type: 'boolean', default: false, doc: 'Go on.' },
  modes: { type: 'list', enum: ['a', 'b'], default: ['a'], doc: 'Modes.', group: 'Modes' },
  topics: { type: 'list', doc: 'Topics.', group: 'Modes' },
  mode: { type: 'string', enum: ['none', 'all'], default: 'none', doc: 'Mode.' },
  secret: { type: 'password', pattern: '^[a-z]+$', doc: 'Secret.' },
})
const parse = compileSettings(settings, {
  unsupported: { 'batch.rows': 'rows are read one batch a file', 'transforms*': 'not yet' },
  foreign: (name) => name.startsWith('key.converter.'),
})

describe('a setting of many names', () => {
  const masks = defineConfig({
    table: { type: 'string', default: 't', doc: 'Table.' },
    'mask.with.<n>.chars': { type: 'list', names: 'mask\\.with\\.\\d+\\.chars', pattern: '^[a-z.]+$', doc: 'Columns.' },
    'override.<table>': { type: 'password', names: 'override\\..+', doc: 'Statement.' },
  })
  const parseMasks = compileSettings(masks)

  test('has all that were given, by name', () => {
    const { config, errors, warnings } = parseMasks({
      'mask.with.3.chars': 'a.b, c.d',
      'mask.with.12.chars': 'e',
      'mask.with.x.chars': 'f',
    })
    expect(config['mask.with.<n>.chars']).toEqual({ 'mask.with.3.chars': ['a.b', 'c.d'], 'mask.with.12.chars': ['e'] })
    expect(errors).toEqual({})
    expect(warnings).toEqual([expect.stringContaining('mask.with.x.chars')])
  })

  test('is empty where none was, and one config knows nothing of another', () => {
    parseMasks({ 'mask.with.3.chars': 'a' })
    expect(parseMasks({}).config).toEqual({ table: 't', 'mask.with.<n>.chars': {}, 'override.<table>': {} })
  })

  test('is checked by its rules, and the error names the property', () => {
    const { errors } = parseMasks({ 'mask.with.3.chars': 'A', 'mask.with.4.chars': 'b' })
    expect(errors).toEqual({ 'mask.with.3.chars': [expect.stringContaining('Invalid value A')] })
  })

  test('is masked where it is a password', () => {
    expect(maskSecrets({ 'override.a': 'select 1', 'mask.with.3.chars': 'a' }, masks, {})).toEqual({
      'override.a': secretMask,
      'mask.with.3.chars': 'a',
    })
  })

  test('is not required and has no default', () => {
    expect(() => defineConfig({ 'a.<b>': { type: 'string', names: 'a\\..+', default: '', doc: 'A.' } })).toThrow(
      TypeError,
    )
  })
})

describe('compileSettings', () => {
  test('takes strings and values alike, trims, and applies defaults', () => {
    const asStrings = parse({
      file: ' a ',
      'tasks.max': ' 3',
      'size.bytes': '9007199254740991',
      ratio: '.5',
      follow: 'TRUE',
      modes: 'a , b',
      topics: '',
    })
    const asValues = parse({
      file: 'a',
      'tasks.max': 3,
      'size.bytes': 9007199254740991,
      ratio: 0.5,
      follow: true,
      modes: ['a', 'b'],
      topics: [],
    })
    expect(asStrings).toEqual({
      config: {
        file: 'a',
        'tasks.max': 3,
        'size.bytes': 9007199254740991,
        ratio: 0.5,
        follow: true,
        modes: ['a', 'b'],
        topics: [],
        mode: 'none',
      },
      errors: {},
      warnings: [],
    })
    expect(asValues).toEqual(asStrings)
    expect(parse({ file: 5 }).config.file).toBe('5')
  })

  test('names every setting at fault, what was given and what was expected', () => {
    const { errors } = parse({
      'tasks.max': 'abc',
      ratio: '2',
      follow: 'yes',
      modes: 'a,c',
      mode: 'some',
      'size.bytes': '1.5',
    })
    expect(errors).toEqual({
      file: ['Missing required configuration "file" which has no default value: expected non-empty text'],
      'tasks.max': ['Invalid value abc for configuration tasks.max: expected a whole number, at least 1'],
      ratio: ['Invalid value 2 for configuration ratio: expected a number from 0 to 1'],
      follow: ['Invalid value yes for configuration follow: expected true or false'],
      modes: ['Invalid value a,c for configuration modes: expected a comma-separated list of: a, b'],
      mode: ['Invalid value some for configuration mode: expected one of: none, all'],
      'size.bytes': ['Invalid value 1.5 for configuration size.bytes: expected a whole number'],
    })
  })

  test.each([['2147483648'], ['9'.repeat(400)], [''], ['0x10'], ['1e3'], [{}], [[1]], [Number.NaN]])(
    'refuses %j as an int',
    (value) => expect(Object.keys(parse({ file: 'a', 'tasks.max': value }).errors)).toEqual(['tasks.max']),
  )

  test('treats null as left out, and an empty required text as wrong', () => {
    expect(parse({ file: 'a', 'tasks.max': null }).config['tasks.max']).toBe(1)
    expect(Object.keys(parse({ file: ' ' }).errors)).toEqual(['file'])
  })

  test('never echoes a password', () => {
    const { errors } = parse({ file: 'a', secret: 'S3CRET' })
    expect(JSON.stringify(errors)).not.toContain('S3CRET')
    expect(errors['secret']).toEqual([
      'Invalid value [hidden] for configuration secret: expected text matching /^[a-z]+$/',
    ])
  })

  test('warns of unknown names with the nearest, refuses unsupported ones, leaves foreign ones alone', () => {
    const result = parse({
      file: 'a',
      'task.max': '1',
      zzzzzz: '1',
      'key.converter.x': '1',
      'batch.rows': '5',
      'transforms.a': 'x',
    })
    expect(result.warnings).toEqual([
      'Unknown configuration task.max has no effect: did you mean tasks.max?',
      'Unknown configuration zzzzzz has no effect',
    ])
    expect(result.errors).toEqual({
      'batch.rows': ['Configuration batch.rows is not supported: rows are read one batch a file'],
      'transforms.a': ['Configuration transforms.a is not supported: not yet'],
    })
  })

  test('refuses a declaration whose default its own rules refuse', () => {
    expect(() => compileSettings({ n: { type: 'int', default: 0, minimum: 1, doc: 'N.' } })).toThrow(
      /setting n: its default/,
    )
    expect(() => compileSettings({ n: { type: 'string', pattern: '(', doc: 'N.' } })).toThrow(TypeError)
  })

  test('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.oneof(fc.constantFrom(...Object.keys(settings)), fc.string()), fc.jsonValue()),
        (raw) => void parse(raw),
      ),
    )
  })

  test('gives a whole number back from its text', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (n) => parse({ file: 'a', 'size.bytes': String(n) }).config['size.bytes'] === n),
    )
  })
})

test('kafkaDefinition speaks the words of Kafka Connect', () => {
  const keys = kafkaDefinition(settings)
  expect(keys[0]).toEqual({
    name: 'file',
    type: 'STRING',
    required: true,
    default_value: null,
    importance: 'HIGH',
    documentation: 'File to read.',
    group: null,
    width: 'NONE',
    display_name: 'file',
    dependents: [],
    order_in_group: -1,
  })
  expect(
    keys.filter((key) => key.group === 'Modes').map((key) => [key.name, key.default_value, key.order_in_group]),
  ).toEqual([
    ['modes', 'a', 1],
    ['topics', null, 2],
  ])
})

test('kafkaDefinition shows common settings as Kafka Connect does, and what is ours after them', () => {
  const keys = new Map(kafkaDefinition(sinkSettings).map((key) => [key.name, key]))
  const place = (name: string) => {
    const { group, width, order_in_group: order } = keys.get(name)!
    return [group, width, order]
  }
  expect(place('topics')).toEqual(['Common', 'LONG', 4])
  expect(place('config.action.reload')).toEqual(['Common', 'MEDIUM', 14])
  expect(place('errors.tolerance')).toEqual(['Error Handling', 'SHORT', 3])
  expect(place('task.weight')).toEqual(['Common', 'NONE', 15])
  const ours = ['task.weight', 'task.stalled.after.ms', 'task.isolation', 'sink.max.buffered.bytes']
  expect(ours.map((name) => place(name)[2])).toEqual([15, 16, 17, 18])
  expect(kafkaGroups([...keys.values()]).slice(0, 1)).toEqual(['Common'])
  // A connector's own setting of that name is its own.
  const own = defineConfig({ topics: { type: 'list', group: 'Mine', doc: 'Topics.' } })
  expect(kafkaDefinition(own)[0]).toMatchObject({ group: 'Mine', width: 'NONE', order_in_group: 1 })
})

describe('secrets', () => {
  const open = defineConfig({ name: { type: 'string', doc: 'Name.' } })

  test('masks what is declared a password, and what sounds like one and is not declared', () => {
    expect(maskSecrets({ name: 'n', secret: 's', file: 'f', 'my.passwort': 'p', other: 'o' }, settings, open)).toEqual({
      name: 'n',
      secret: secretMask,
      file: 'f',
      'my.passwort': secretMask,
      other: 'o',
    })
  })

  test('masks all but the framework’s settings where the declaration is not known', () => {
    expect(maskSecrets({ name: 'n', file: 'f' }, undefined, open)).toEqual({ name: 'n', file: secretMask })
  })

  test('a mask sent back keeps the stored value', () => {
    expect(unmaskSecrets({ secret: secretMask, file: 'g' }, { secret: 's', file: 'f' })).toEqual({
      secret: 's',
      file: 'g',
    })
    expect(unmaskSecrets({ secret: secretMask }, undefined)).toEqual({ secret: secretMask })
  })
})
