import type { FastifyInstance, FastifyReply, FastifySchema } from 'fastify'
import type { SourceStart } from '@tidewire/sdk'
import type { GivenOffset, OffsetsRequest } from '../herder/connector-offsets.ts'
import type { Herder } from '../herder/herder.ts'
import { warn } from './connector-routes.ts'
import { fieldsOf } from './errand-requests.ts'
import type { Forwarding } from './forwarding.ts'
import { RestError } from './rest-error.ts'
import {
  about,
  anything,
  integer,
  listOf,
  mapOf,
  object,
  oneOfTexts,
  orNull,
  text,
  type JsonSchema,
} from './route-schema.ts'

const map = mapOf(anything)
const connectorOffset: JsonSchema = {
  title: 'ConnectorOffset',
  ...object({
    partition: about('As the source has it; of a sink `kafka_topic` and `kafka_partition`', map),
    offset: about('As the source has it; of a sink `kafka_offset`. Null: forgotten', orNull(map)),
  }),
}
const offsetsMessage = {
  title: 'OffsetsMessage',
  ...object(
    {
      message: about('What was done, and whether there is more to do on the other side', text),
      offsets: about('Where a place was asked for: what was set', listOf(connectorOffset)),
    },
    ['offsets'],
  ),
}
const place: JsonSchema = {
  title: 'OffsetsFrom',
  anyOf: [
    oneOfTexts(['earliest', 'latest']),
    object({ timestamp: about('ms since 1970, or ISO 8601', { type: ['integer', 'string'] }) }),
    object({ offset: integer }),
  ],
}

const tags = ['Offsets']
const errors = {
  400: 'It is not stopped, or the offsets are refused',
  500: 'The consumer group of a sink is still in use',
}
const docs = {
  read: {
    tags,
    summary: 'How far a connector has come',
    response: { 200: { title: 'ConnectorOffsets', ...object({ offsets: listOf(connectorOffset) }) } },
  },
  alter: {
    tags,
    summary: 'Sets offsets of a stopped connector: those given, or those of a place to begin from',
    body: {
      title: 'OffsetsChange',
      ...object(
        { offsets: listOf(connectorOffset), from: place, topics: about('Of a sink: only these', listOf(text)) },
        ['offsets', 'from', 'topics'],
      ),
    },
    response: { 200: offsetsMessage },
    errors,
  },
  reset: {
    tags,
    summary: 'Forgets the offsets of a stopped connector: it begins anew',
    response: { 200: offsetsMessage },
    errors,
  },
} satisfies Readonly<Record<string, FastifySchema>>

interface Named {
  Params: { name: string }
}

/** `/connectors/{name}/offsets` (KIP-875). @param closing the worker stops: what is being read is given up */
export function offsetRoutes(
  app: FastifyInstance,
  herder: () => Herder,
  forwarding: Forwarding,
  closing: AbortSignal,
): void {
  app.get<Named>('/connectors/:name/offsets', { schema: docs.read }, async ({ params }) => ({
    offsets: await herder().offsets.read(params.name, closing),
  }))

  app.patch<Named>('/connectors/:name/offsets', { schema: docs.alter }, async (asked, reply) => {
    const { name } = asked.params
    const change = offsetsRequestOf(asked.body)
    return forwarding.run(
      asked,
      reply,
      (herder) => herder.offsets.change(name, change),
      ({ offsets, isAll, warnings }) => {
        warn(reply, warnings)
        const how = change.kind === 'from' && offsets.every(({ offset }) => offset === null) ? 'reset' : 'altered'
        return reply.send({ message: message(how, isAll), ...(change.kind === 'from' ? { offsets } : {}) })
      },
    )
  })

  app.delete<Named>('/connectors/:name/offsets', { schema: docs.reset }, async (asked, reply) =>
    forwarding.run(
      asked,
      reply,
      (herder) => herder.offsets.change(asked.params.name, { kind: 'reset' }),
      ({ isAll }): FastifyReply => reply.send({ message: message('reset', isAll) }),
    ),
  )
}

/** Kafka Connect's words. */
function message(how: 'altered' | 'reset', isAll: boolean): string {
  if (isAll) return `The offsets for this connector have been ${how} successfully`
  return `The Connect framework-managed offsets for this connector have been ${how} successfully. However, if this connector manages offsets externally, they will need to be manually ${how} in the system that the connector uses.`
}

/** @throws RestError */
function offsetsRequestOf(body: unknown): OffsetsRequest {
  const { offsets, from, topics } = fieldsOf(body, ['offsets', 'from', 'topics'])
  if (from === undefined && topics === undefined) {
    if (!Array.isArray(offsets) && offsets !== undefined && offsets !== null) {
      throw new RestError(400, 'offsets must be a list of {"partition", "offset"}')
    }
    if (offsets === undefined || offsets === null || offsets.length === 0) {
      throw new RestError(400, 'Partitions / offsets need to be provided for an alter offsets request')
    }
    return { kind: 'alter', offsets: offsets.map(givenOffsetOf) }
  }
  if (from === undefined || offsets !== undefined) {
    throw new RestError(
      400,
      'An alter offsets request has either offsets, or from, with topics where only some are meant',
    )
  }
  return { kind: 'from', from: placeOf(from), topics: topics === undefined ? undefined : topicsOf(topics) }
}

function givenOffsetOf(entry: unknown): GivenOffset {
  const { partition = null, offset = null } = fieldsOf(entry, ['partition', 'offset'])
  return { partition: mapOrNull(partition, 'partition'), offset: mapOrNull(offset, 'offset') }
}

function mapOrNull(value: unknown, name: string): Readonly<Record<string, unknown>> | null {
  if (typeof value !== 'object' || Array.isArray(value)) throw new RestError(400, `${name} must be an object or null`)
  return value as Readonly<Record<string, unknown>> | null
}

const isoTime = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/

function placeOf(from: unknown): 'earliest' | SourceStart {
  if (from === 'earliest' || from === 'latest') return from
  if (typeof from === 'object' && from !== null) {
    const { timestamp, offset } = fieldsOf(from, ['timestamp', 'offset'])
    if (offset === undefined && timestamp !== undefined) return { timestamp: timeOf(timestamp) }
    if (timestamp === undefined && isWhole(offset)) return { offset }
  }
  throw new RestError(
    400,
    `from is ${JSON.stringify(from)}: expected "earliest", "latest", {"timestamp": <ms or ISO 8601>} or {"offset": <number>}`,
  )
}

function timeOf(timestamp: unknown): number {
  if (isWhole(timestamp)) return timestamp
  const time = typeof timestamp === 'string' && isoTime.test(timestamp) ? Date.parse(timestamp) : NaN
  if (time >= 0) return time
  throw new RestError(
    400,
    `timestamp is ${JSON.stringify(timestamp)}: expected milliseconds since 1970, or ISO 8601 with a zone such as 2026-01-31T12:00:00Z`,
  )
}

function topicsOf(topics: unknown): readonly string[] {
  if (Array.isArray(topics) && topics.length > 0 && topics.every((topic) => typeof topic === 'string')) return topics
  throw new RestError(400, 'topics must be a list of names')
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
