import type { FastifyInstance, FastifySchema } from 'fastify'
import type { Herder } from '../herder/herder.ts'
import type { TailRequest, TailedRecords } from '../herder/topic-tail.ts'
import { messageOf } from '../logging/message-of.ts'
import { EventStream } from './event-stream.ts'
import { RestError } from './rest-error.ts'
import {
  about,
  anything,
  flag,
  integer,
  listOf,
  object,
  oneOfTexts,
  orNull,
  query,
  text,
  type JsonSchema,
} from './route-schema.ts'

const shown: JsonSchema = {
  title: 'TailedBytes',
  ...object(
    {
      encoding: oneOfTexts(['utf-8', 'json', 'base64']),
      data: about('Text, or the JSON value', anything),
      size: about('Of all of it, in bytes', integer),
      truncated: flag,
    },
    ['truncated'],
  ),
}
const record: JsonSchema = {
  title: 'TailedRecord',
  ...object({
    topic: text,
    partition: integer,
    offset: integer,
    timestamp: integer,
    key: orNull(shown),
    value: orNull(shown),
    headers: listOf(object({ key: text, value: orNull(shown) })),
  }),
}

const schema = {
  tags: ['Events'],
  summary: 'Records of a topic as server-sent events, as they come',
  description:
    'Events: `ready`, `record`, `end` (as many as asked for) and `failed` (with `error`). The header `Last-Event-ID` goes on after that event. Topics that hold secrets are closed.',
  params: object({ topic: text }),
  querystring: query({
    from: {
      ...text,
      default: 'latest',
      description: '`latest`: what comes from now on; `earliest`; an offset of a partition',
    },
    partition: about('This one alone', integer),
    limit: about('Ends after so many', { type: 'integer', minimum: 1 }),
    format: {
      ...oneOfTexts(
        ['text', 'json', 'base64'],
        '`json`: values as the JSON that they hold; what is no text is in base64',
      ),
      default: 'text',
    },
  }),
  response: { 200: { content: { 'text/event-stream': { schema: record } } } },
  errors: {
    403: 'The topic holds secrets',
    404: 'No such topic or partition',
    503: 'As many read topics on this worker as may',
  },
} satisfies FastifySchema

/** `GET /topics/{topic}/tail`. @param closing the worker stops: streams end */
export function tailRoutes(app: FastifyInstance, herder: () => Herder, closing: AbortSignal): void {
  app.get<{ Params: { topic: string } }>(
    '/topics/:topic/tail',
    { schema, exposeHeadRoute: false },
    async (asked, reply) => {
      const { tails } = herder()
      const { topic } = asked.params
      if (tails.isClosed(topic)) {
        throw new RestError(403, `Topic ${topic} holds what nobody is to see: it cannot be read by this API`)
      }
      const lastId = asked.headers['last-event-id']
      const request = tailRequestOf(topic, asked.query as Readonly<Record<string, unknown>>, lastId)
      const over = new AbortController()
      const tail = await tails.open(request, over.signal)
      const stream = new EventStream(reply, closing)
      stream.signal.addEventListener('abort', () => over.abort())
      if (stream.signal.aborted) over.abort()
      void sendRecords(stream, tail)
      return reply
    },
  )
}

async function sendRecords(stream: EventStream, tail: AsyncIterable<TailedRecords>): Promise<void> {
  try {
    let isFirst = true
    for await (const { records, size, positions } of tail) {
      if (isFirst) stream.send({ ...place(positions), event: 'ready', data: '{}' })
      isFirst = false
      let left = size
      for (const data of records) {
        // Before the last of what came together, a place to go on from would leave out what is still to be sent.
        stream.send({ ...(--left === 0 ? place(positions) : {}), event: 'record', data })
        await stream.drained()
        if (stream.signal.aborted) return
      }
    }
    stream.send({ event: 'end', data: '{}' })
  } catch (error) {
    stream.send({ event: 'failed', data: JSON.stringify({ error: messageOf(error) }) })
  } finally {
    stream.end()
  }
}

function place(positions: ReadonlyMap<number, number>): { id?: string } {
  if (positions.size === 0) return {}
  return { id: [...positions].map(([partition, offset]) => `${partition}:${offset}`).join() }
}

/** @throws RestError */
function tailRequestOf(
  topic: string,
  asked: Readonly<Record<string, unknown>>,
  lastId: string | string[] | undefined,
): TailRequest {
  const { from = 'latest', format = 'text' } = asked
  const partition = whole(asked, 'partition', 0)
  const offset =
    from === 'latest' || from === 'earliest' ? from : whole(asked, 'from', 0, 'an offset, latest or earliest')
  if (typeof offset === 'number' && partition === undefined) {
    throw new RestError(400, 'An offset is one of a partition: give partition as well')
  }
  if (format !== 'text' && format !== 'json' && format !== 'base64') {
    throw new RestError(400, 'format must be text, json or base64')
  }
  return {
    topic,
    partition,
    from: offset ?? 'latest',
    positions: lastId === undefined ? undefined : positionsOf(String(lastId)),
    limit: whole(asked, 'limit', 1),
    format,
  }
}

function positionsOf(id: string): Map<number, number> {
  if (!/^\d{1,9}:\d{1,15}(,\d{1,9}:\d{1,15})*$/.test(id)) {
    throw new RestError(400, 'Last-Event-ID is none of this stream’s: leave it out')
  }
  return new Map(id.split(',').map((each) => each.split(':').map(Number) as [number, number]))
}

function whole(
  asked: Readonly<Record<string, unknown>>,
  name: string,
  minimum: number,
  what = `a whole number of at least ${minimum}`,
): number | undefined {
  const text = asked[name]
  if (text === undefined) return undefined
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text) || Number(text) < minimum) {
    throw new RestError(400, `${name} must be ${what}`)
  }
  return Number(text)
}
