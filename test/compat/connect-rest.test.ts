/**
 * The contract: one script of REST calls, put to a real Kafka Connect worker and to ours side by side on one Kafka. All
 * answers are the same, field by field, except for what is listed here, each for a reason that docs/rest.md gives.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TransformDefinition } from '@tidewire/sdk'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import builtIn from '../../core/src/transform/plugin.ts'
import { inputText, script } from '../support/connect-script.ts'
import { kafkaMissing, testKafka, type TestKafka } from '../support/kafka.ts'
import { differences, take, type Contender, type Difference } from '../support/rest-contract.ts'
import { connectWorkers, type WorkerProcess } from '../support/worker-processes.ts'
import { testWorker, type TestWorker } from '../support/worker.ts'

interface Expected {
  /** The row of docs/rest.md that says what differs and why. */
  readonly row: string
  /** Of the script; `*` stands for any text. */
  readonly steps: readonly string[]
  readonly fields: readonly string[]
}

/** Ours says that the request is at fault; Kafka Connect, that it is. */
const error = ['status', 'body.error_code', 'body.message']
/** One answers with an error, the other does what is asked. */
const everything = ['status', 'body*', 'location']

const settingsRow = 'what there is to set, and what is said of it'
const wrong = ['validate, several settings wrong']
const ofConverter = 'validate, converter settings'
/** What only one of the two has, or has for sinks alone. */
const settable = (before: string): string[] =>
  ['task.*', 's*.max.buffered.bytes', 'poll.interval.ms', 'exactly.once', 'errors.dead*'].map((name) => before + name)
const ofConverters = (before: string): string[] => [`${before}converter.type`]

/** Those that Kafka Connect does not bring along. */
const ownTransforms = (builtIn.transforms ?? []).flatMap(({ name, aliases = [] }: TransformDefinition) => {
  const className = aliases.find((alias) => alias.includes('.')) ?? name
  return className.startsWith('org.apache.kafka.') ? [] : [`body.${className} (transformation)`]
})

const expected: readonly Expected[] = [
  {
    row: 'malformed JSON, no body, one of another kind, unknown `initial_state`, an object where a text is expected',
    steps: [
      ...['malformed JSON', 'an array', 'a text', 'nothing in it', 'no config', 'config is *', 'unknown field'].map(
        (what) => `create: ${what}`,
      ),
      ...['a value is an object', 'a value is an array', 'unknown initial_state'].map((what) => `create: ${what}`),
      ...['null', 'no body', 'malformed JSON'].map((what) => `put config, ${what}`),
      ...['an array', 'null', 'malformed JSON'].map((what) => `patch config, ${what}`),
      ...['no body', 'malformed JSON', 'not a list'].map((what) => `alter offsets, ${what}`),
      ...['malformed JSON', 'null'].map((what) => `validate, ${what}`),
      ...['no body', 'malformed JSON'].map((what) => `set a level, ${what}`),
    ],
    fields: error,
  },
  {
    row: 'offsets that the connector, or the log, cannot have',
    steps: [
      'alter offsets, no partition',
      ...['unknown partition', 'not a number', 'negative'].map((what) => `alter source offsets, ${what}`),
      ...['negative', 'no such partition'].map((what) => `alter sink offsets, ${what}`),
    ],
    fields: error,
  },
  {
    row: 'the text of a message',
    steps: [
      ...['not declared as JSON', '* connector.class', 'a required setting is missing', 'tasks.max is *'].map(
        (what) => `create: ${what}`,
      ),
      ...['several settings are wrong', 'unknown converter', 'empty name', 'control character in the name'].map(
        (what) => `create: ${what}`,
      ),
      ...['sink with topics and topics.regex', 'dead letter topic that is read'].map((what) => `create: ${what}`),
      ...['put config, wrong', 'patch config, wrong', 'patch config, required setting removed'],
      ...['settings, unknown plugin', 'settings, unknown version'],
    ],
    fields: ['body.message'],
  },
  {
    row: 'null as the value of a setting',
    steps: ['create: a value is null', 'delete: what a null has made', 'validate, a value is null'],
    fields: everything,
  },
  { row: '`name` in a PATCH', steps: ['patch config, another name'], fields: ['status', 'body*'] },
  {
    row: 'an empty body of a type that is not JSON',
    steps: ['restart, empty body declared as a form'],
    fields: ['status', 'body'],
  },
  { row: 'the tasks of a connector that is created paused', steps: ['created paused'], fields: ['body.tasks'] },
  { row: '`task.class` in the config of a task', steps: ['tasks', 'sink tasks'], fields: ['body.0.config.task.class'] },
  {
    row: 'loggers',
    steps: ['loggers', 'root logger*'],
    fields: ['body.level', 'body.org.*', 'body.root'],
  },
  {
    row: 'a plugin in the list',
    steps: ['plugins', 'plugins, all', 'plugins, connectorsOnly is no boolean'],
    fields: [
      ...[
        'body.*.name',
        'body.*mqtt*',
        'body.*Datagen*',
        'body.*PostgresConnector*',
        'body.*Jdbc*',
        'body.*S3*',
        'body.*lastic*',
        'body.*converter)',
      ],
      ...ownTransforms,
    ],
  },
  { row: settingsRow, steps: ['settings of a converter without any'], fields: ['body'] },
  {
    row: settingsRow,
    steps: ['a source', 'a sink, simple name', 'a sink, short name'].map((what) => `settings of ${what}`),
    fields: [
      'body.*.documentation',
      ...settable('body.'),
      'body.*.default_value',
      'body.errors.deadletterqueue.topic.replication.factor.type',
      'body.file.required',
    ],
  },
  {
    row: settingsRow,
    steps: ['settings of a converter'],
    fields: ['body.*.documentation', ...ofConverters('body.')],
  },
  {
    row: settingsRow,
    steps: [
      'validate a s*',
      'validate, s* name',
      'validate, nothing given',
      ...wrong,
      'validate, unknown setting',
      'validate, transforms*',
      ofConverter,
    ],
    fields: [
      ...[
        'body.configs.*.definition.documentation',
        ...settable('body.configs.'),
        'body.configs.*.definition.default_value',
      ],
      'body.configs.file.definition.required',
      'body.configs.errors.deadletterqueue.topic.replication.factor.definition.type',
      ...['recommended_values', 'value'].map((field) => `body.configs.*version.value.${field}`),
      ...['body.configs.*.converter.value.value', 'body.configs.*.value.recommended_values'],
    ],
  },
  {
    row: settingsRow,
    steps: [ofConverter],
    fields: ofConverters('body.configs.value.converter.'),
  },
  {
    row: settingsRow,
    steps: [
      'validate a source',
      'validate, s* name',
      'validate, unknown setting',
      'validate, transforms*',
      ofConverter,
    ],
    fields: ['body.configs.topic.creation.default.*', 'body.configs.no.such.setting'],
  },
  {
    row: 'the text of a message',
    steps: ['validate, nothing given', ...wrong, 'validate, transforms: *', ofConverter],
    fields: ['body.configs.*.value.errors', 'body.configs.*.value.value'],
  },
  {
    row: settingsRow,
    steps: ['validate, transforms: an alias twice', 'validate, transforms: no such type'],
    fields: ['body.configs.transforms.away.*', 'body.configs.transforms.stamp.static.*'],
  },
  {
    row: settingsRow,
    steps: ['validate, nothing given', ...wrong, 'validate, transforms: a setting is missing'],
    fields: ['body.error_count'],
  },
  {
    row: 'a validation for a plugin that there is not, or with no `connector.class`',
    steps: ['validate, no connector.class', 'validate, unknown plugin', 'validate, unknown connector.class'],
    fields: ['status', 'body*'],
  },
]

const missing = await kafkaMissing()

describe.skipIf(missing !== undefined)(`the contract${missing === undefined ? '' : ` (${missing})`}`, () => {
  let kafka: TestKafka
  let connect: WorkerProcess
  let worker: TestWorker
  let folder: string
  const found: { readonly step: string; readonly difference: Difference }[] = []

  /** Of this run: the Kafka may be one that earlier runs have left something on. */
  const run = Date.now().toString(36)

  const contender = async (name: string, url: string): Promise<Contender> => {
    const own = join(folder, name)
    await mkdir(own)
    await writeFile(join(own, 'in.txt'), inputText)
    return { url, prefix: `${name}-${run}-`, folder: own, workerId: new URL(url).host }
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidewire-contract-'))
    kafka = await testKafka()
    const json = 'org.apache.kafka.connect.json.JsonConverter'
    const settings = {
      'key.converter': json,
      'value.converter': json,
      // Connect's default: its markers of transactions would take offsets.
      'exactly.once.source.support': 'disabled',
    }
    const topics: Record<string, string> = {}
    for (const what of ['config', 'offset', 'status', 'assignment'])
      topics[`${what}.storage.topic`] = `tidewire-${run}-${what}`
    ;[connect, worker] = await Promise.all([
      connectWorkers.start({ address: kafka.address, groupId: `contract-connect-${run}`, settings }),
      testWorker(kafka.address, { ...settings, 'group.id': `contract-tidewire-${run}`, ...topics }),
    ])
    const both = [await contender('connect', connect.url), await contender('tidewire', worker.url)]
    for (const step of script) {
      const [theirs, ours] = await Promise.all(both.map((each) => take(step, each)))
      for (const difference of differences(theirs!, ours!, step.ignores)) found.push({ step: step.name, difference })
    }
  }, 400_000)

  afterAll(async () => {
    await worker.close()
    await connect.kill()
    await kafka.close()
    await rm(folder, { recursive: true, force: true })
  })

  test('answers are the same, except for what is listed', () => {
    const isListed = (step: string, field: string): boolean =>
      expected.some(({ steps, fields }) => matchesAny(steps, step) && matchesAny(fields, field))
    const unexpected = found.filter(({ step, difference }) => !isListed(step, difference.field))
    expect(unexpected.map(({ step, difference }) => ({ step, ...difference }))).toEqual([])
  })

  test('nothing is listed that is the same by now', () => {
    const stale = expected.flatMap(({ row, steps, fields }) => {
      const concerned = found.filter(
        ({ step, difference }) => matchesAny(steps, step) && matchesAny(fields, difference.field),
      )
      return [
        ...steps.filter((step) => !concerned.some((each) => matchesAny([step], each.step))),
        ...fields.filter((field) => !concerned.some((each) => matchesAny([field], each.difference.field))),
      ].map((listed) => `${row}: ${listed}`)
    })
    expect(stale).toEqual([])
  })
})

test('the script names each step once', () => {
  const names = script.map(({ name }) => name)
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([])
})

test('docs/rest.md says what differs', async () => {
  const text = await readFile(new URL('../../docs/rest.md', import.meta.url), 'utf8')
  const section = text.slice(text.indexOf('## Where it differs from Kafka Connect'))
  const [, , ...rows] = section.slice(section.indexOf('| | Kafka Connect')).split('\n\n')[0]!.split('\n')
  const named = rows.map((line) => line.split(' | ')[0]!.replace('| ', ''))
  expect(named.sort()).toEqual([...new Set(expected.map(({ row }) => row))].sort())
})

function matchesAny(patterns: readonly string[], text: string): boolean {
  const literal = (part: string): string => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
  return patterns.some((pattern) => new RegExp(`^${pattern.split('*').map(literal).join('.*')}$`).test(text))
}
