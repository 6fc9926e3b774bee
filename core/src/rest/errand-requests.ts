import type { TopicPartitionOffset } from '@tidewire/sdk'
import { connectorNameProblem } from '../config/connector-settings.ts'
import type { LetterChoice, ListRequest, PreviewRequest, RedriveRequest } from '../herder/connector-errands.ts'
import { InvalidConfigError } from '../herder/validation.ts'
import { configOf, withName } from './request-config.ts'
import { RestError } from './rest-error.ts'

type Fields = Readonly<Record<string, unknown>>

/** Of a preview: records, time, bytes of JSON. */
const preview = { limit: 10, maxLimit: 1000, timeoutMs: 10_000, maxTimeoutMs: 60_000, maxBytes: 4 * 1024 * 1024 }
const list = { limit: 100, maxLimit: 1000, timeoutMs: 30_000 }
const redrive = { limit: 1000, maxLimit: 10_000, timeoutMs: 60_000, maxTimeoutMs: 900_000 }

/**
 * @param connector of an existing one; undefined: the body brings name and config
 * @throws RestError, InvalidConfigError
 */
export function previewRequestOf(
  body: unknown,
  connector: string | undefined,
): { readonly name: string; readonly request: PreviewRequest } {
  const fields = fieldsOf(body, ['name', 'config', 'limit', 'timeoutMs', 'maxBytes', 'from', 'task'])
  if (connector === undefined && fields['config'] === undefined) throw new RestError(400, 'The request has no config')
  const given = fields['config'] === undefined ? undefined : configOf(fields['config'])
  const named = connector ?? fields['name'] ?? given?.['name'] ?? 'preview'
  const name = typeof named === 'string' ? named.trim() : ''
  const problem = connectorNameProblem(name)
  if (problem !== undefined) throw new InvalidConfigError({ name: [problem] })
  return {
    name,
    request: {
      config: given && withName(name, given),
      task: whole(fields, 'task', 0, 0, 1_000_000),
      limit: whole(fields, 'limit', preview.limit, 1, preview.maxLimit),
      timeoutMs: whole(fields, 'timeoutMs', preview.timeoutMs, 1, preview.maxTimeoutMs),
      maxBytes: whole(fields, 'maxBytes', preview.maxBytes, 1, preview.maxBytes),
      from: previewFromOf(fields['from']),
    },
  }
}

/** @throws RestError */
export function lettersQueryOf(query: unknown): ListRequest {
  const numbers = Object.entries(query as Readonly<Record<string, unknown>>).map(([name, text]): [string, unknown] => [
    name,
    typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : text,
  ])
  const fields = fieldsOf(Object.fromEntries(numbers), ['limit', 'partition', 'from'])
  const { from = 'earliest', partition } = fields
  if (from !== 'earliest' && from !== 'redriven' && typeof from !== 'number') {
    throw new RestError(400, 'from must be an offset, earliest or redriven')
  }
  return {
    from,
    ...(partition === undefined ? {} : { partition: whole(fields, 'partition', 0, 0, Infinity) }),
    limit: whole(fields, 'limit', list.limit, 1, list.maxLimit),
    timeoutMs: list.timeoutMs,
  }
}

/** @throws RestError */
export function redriveRequestOf(body: unknown): RedriveRequest {
  const fields = fieldsOf(body, ['offsets', 'partition', 'from', 'to', 'limit', 'timeoutMs', 'dryRun'])
  const { dryRun = false } = fields
  if (typeof dryRun !== 'boolean') throw new RestError(400, 'dryRun must be true or false')
  return {
    choice: letterChoiceOf(fields),
    dryRun,
    limit: whole(fields, 'limit', redrive.limit, 1, redrive.maxLimit),
    timeoutMs: whole(fields, 'timeoutMs', redrive.timeoutMs, 1, redrive.maxTimeoutMs),
  }
}

function letterChoiceOf(fields: Fields): LetterChoice {
  const { offsets, from, to } = fields
  if (offsets !== undefined && (from !== undefined || to !== undefined)) {
    throw new RestError(400, 'Letters are chosen by offsets, or by from and to')
  }
  if (offsets !== undefined) {
    if (!Array.isArray(offsets) || offsets.length === 0 || offsets.length > redrive.maxLimit) {
      throw new RestError(400, `offsets must be a list of 1 to ${redrive.maxLimit} of {"partition", "offset"}`)
    }
    const chosen = offsets.map((entry: unknown) => {
      const each = fieldsOf(entry, ['partition', 'offset'])
      return {
        partition: whole(each, 'partition', 0, 0, Infinity),
        offset: whole(each, 'offset', undefined, 0, Infinity),
      }
    })
    return { kind: 'offsets', offsets: chosen }
  }
  if (from === undefined && to === undefined) return { kind: 'since' }
  return {
    kind: 'range',
    partition: whole(fields, 'partition', 0, 0, Infinity),
    from: whole(fields, 'from', 0, 0, Infinity),
    // One past the last, as everywhere in Kafka.
    to: whole(fields, 'to', Number.MAX_SAFE_INTEGER, 0, Infinity),
  }
}

function previewFromOf(from: unknown): PreviewRequest['from'] {
  if (from === undefined) return 'earliest'
  if (from === 'earliest' || from === 'latest' || from === 'committed') return from
  if (!Array.isArray(from) || from.length === 0) {
    throw new RestError(400, 'from must be earliest, latest, committed or a list of {"topic", "partition", "offset"}')
  }
  return from.map((entry: unknown): TopicPartitionOffset => {
    const each = fieldsOf(entry, ['topic', 'partition', 'offset'])
    if (typeof each['topic'] !== 'string') throw new RestError(400, 'topic must be a text')
    return {
      topic: each['topic'],
      partition: whole(each, 'partition', 0, 0, Infinity),
      offset: whole(each, 'offset', undefined, 0, Infinity),
    }
  })
}

/** @throws RestError for what is no object, and for fields that are not known */
export function fieldsOf(body: unknown, known: readonly string[]): Fields {
  if (body === undefined) return {}
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new RestError(400, `A JSON object is expected, with ${known.join(', ')}`)
  }
  const unknown = Object.keys(body).filter((name) => !known.includes(name))
  if (unknown.length > 0) {
    throw new RestError(400, `Unrecognized field ${unknown.join(', ')}: expected ${known.join(', ')}`)
  }
  return body as Fields
}

function whole(fields: Fields, name: string, preset: number | undefined, minimum: number, maximum: number): number {
  const value = fields[name] ?? preset
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= minimum && value <= maximum) return value
  const range = maximum === Infinity ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`
  throw new RestError(400, `${name} must be a whole number ${range}`)
}
