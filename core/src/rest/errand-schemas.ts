/** What previews, dead letters and re-drives look like, for the OpenAPI document. */
import { givenConfig, shownBytes } from './api-schemas.ts'
import {
  about,
  anything,
  flag,
  integer,
  listOf,
  object,
  oneOfTexts,
  orNull,
  text,
  type JsonSchema,
} from './route-schema.ts'

const offset = object({ partition: integer, offset: integer })
const topicOffset = object({ topic: text, partition: integer, offset: integer })
const orNumber: JsonSchema = { type: ['string', 'integer', 'null'] }

export const previewRequest: JsonSchema = {
  title: 'PreviewRequest',
  ...object(
    {
      name: text,
      config: about('Of an existing connector: in place of the stored one', givenConfig),
      limit: { type: 'integer', minimum: 1, maximum: 1000, default: 10, description: 'Most records' },
      timeoutMs: { type: 'integer', minimum: 1, maximum: 60_000, default: 10_000 },
      maxBytes: { type: 'integer', minimum: 1, description: 'Of the answer' },
      from: {
        anyOf: [oneOfTexts(['earliest', 'latest', 'committed']), listOf(topicOffset)],
        default: 'earliest',
      },
      task: { type: 'integer', minimum: 0, default: 0, description: 'Which of those that the work is split into' },
    },
    ['name', 'config', 'limit', 'timeoutMs', 'maxBytes', 'from', 'task'],
  ),
}

const previewedValue: JsonSchema = {
  title: 'PreviewedValue',
  ...object(
    {
      value: about('As the source gave it, or as the sink would get it', anything),
      schema: about('In the JSON converter’s notation', anything),
      bytes: about('As it is, or would be, in the log', orNull(shownBytes)),
    },
    ['value', 'schema', 'bytes'],
  ),
}

const previewedRecord: JsonSchema = {
  title: 'PreviewedRecord',
  ...object(
    {
      topic: text,
      partition: { type: ['integer', 'null'], description: 'Of a source: null where the key decides' },
      offset: integer,
      timestamp: { type: ['integer', 'null'] },
      sourcePartition: anything,
      sourceOffset: anything,
      key: previewedValue,
      value: previewedValue,
      headers: listOf(
        object({ key: text, value: anything, schema: anything, bytes: orNull(shownBytes) }, [
          'value',
          'schema',
          'bytes',
        ]),
      ),
      dropped: about('The alias of the transform that drops it; it is shown as it was before', text),
      errors: listOf(object({ stage: text, operation: text, exception: text, message: text })),
    },
    ['offset', 'sourcePartition', 'sourceOffset', 'dropped'],
  ),
}

const ended = (...values: string[]): JsonSchema => oneOfTexts(values, 'Why there is no more of it')

export const preview: JsonSchema = {
  title: 'Preview',
  ...object(
    {
      name: text,
      type: oneOfTexts(['source', 'sink']),
      task: integer,
      tasks: about('How many the work is split into', integer),
      records: listOf(previewedRecord),
      ended: ended('limit', 'bytes', 'timeout', 'end', 'failed'),
      error: text,
      log: listOf(object({ level: text, message: text, details: text }), 'What the connector had to say'),
      warnings: listOf(text),
    },
    ['error'],
  ),
}

const deadLetter: JsonSchema = {
  title: 'DeadLetter',
  ...object({
    partition: integer,
    offset: integer,
    timestamp: integer,
    redriven: flag,
    connector: { type: ['string', 'null'] },
    stage: { type: ['string', 'null'] },
    operation: { type: ['string', 'null'] },
    exception: { type: ['string', 'null'] },
    message: { type: ['string', 'null'] },
    origin: object({ topic: { type: ['string', 'null'] }, partition: orNumber, offset: orNumber }),
    key: orNull(shownBytes),
    value: orNull(shownBytes),
    headers: listOf(object({ key: text, value: orNull(shownBytes) })),
  }),
}

export const deadLetters: JsonSchema = {
  title: 'DeadLetters',
  ...object({
    topic: text,
    partitions: listOf(
      object({ partition: integer, earliest: integer, latest: integer, redriven: { type: ['integer', 'null'] } }),
    ),
    next: listOf(offset, 'Where a next call goes on'),
    letters: listOf(deadLetter),
  }),
}

export const redriveRequest: JsonSchema = {
  title: 'RedriveRequest',
  description:
    'Which letters: `offsets`, or `partition`, `from` and `to` (one past the last); default: all since the last re-drive',
  ...object(
    {
      offsets: listOf(offset),
      partition: integer,
      from: integer,
      to: integer,
      limit: { type: 'integer', minimum: 1, maximum: 10_000, default: 1000 },
      timeoutMs: { type: 'integer', minimum: 1, maximum: 900_000, default: 60_000 },
      dryRun: { type: 'boolean', default: false, description: 'Converts only' },
    },
    ['offsets', 'partition', 'from', 'to', 'limit', 'timeoutMs', 'dryRun'],
  ),
}

export const redrivenLine: JsonSchema = {
  title: 'RedrivenLine',
  anyOf: [
    {
      title: 'RedrivenLetter',
      ...object(
        {
          partition: integer,
          offset: integer,
          outcome: oneOfTexts(['delivered', 'deliverable', 'rejected', 'skipped', 'unfinished']),
          to: topicOffset,
          stage: text,
          reason: text,
        },
        ['to', 'stage', 'reason'],
      ),
    },
    {
      title: 'RedriveEnd',
      ...object(
        {
          done: { const: true },
          ended: ended('limit', 'timeout', 'end', 'failed'),
          error: text,
          redriven: listOf(offset, 'Where the next re-drive of all begins'),
        },
        ['error', 'redriven'],
      ),
    },
  ],
}
