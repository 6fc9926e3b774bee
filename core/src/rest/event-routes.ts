import type { FastifyInstance, FastifySchema } from 'fastify'
import type { Herder } from '../herder/herder.ts'
import type { RingEvent } from '../herder/event-ring.ts'
import { config, progressFields, stateFields } from './api-schemas.ts'
import { EventStream } from './event-stream.ts'
import { RestError } from './rest-error.ts'
import { about, flag, integer, listOf, object, oneOfTexts, query, text, type JsonSchema } from './route-schema.ts'

/** Each costs a connection, and what its client leaves unread. */
const maxStreams = 100

const ofConnector = { connector: text }
const data: JsonSchema = {
  title: 'ClusterEvent',
  description: 'The data of an event, by its name',
  anyOf: [
    about(
      '`config`',
      object({ ...ofConnector, change: oneOfTexts(['created', 'updated', 'deleted']), config }, ['config']),
    ),
    about('`target-state`', object({ ...ofConnector, state: oneOfTexts(['STARTED', 'PAUSED', 'STOPPED']) })),
    about('`tasks`: how many there are now', object({ ...ofConnector, tasks: integer })),
    about('`status`: of the connector or of a task', {
      ...object({ ...ofConnector, task: integer, ...stateFields }, ['task', 'version', 'trace']),
    }),
    about('`progress`: how a task gets on', object({ ...ofConnector, task: integer, ...progressFields })),
    about(
      '`workers`',
      object({
        workers: listOf(object({ worker_id: text, leader: flag, draining: flag, away_until: text }, ['away_until'])),
      }),
    ),
    about('`ready`: from here on; `reset`: what was missed is not known any more, so ask for all', object({})),
  ],
}

const schema = {
  tags: ['Events'],
  summary: 'Changes of connectors, tasks and workers, as server-sent events',
  description:
    'The header `Last-Event-ID` goes on after that event, as far as the worker still holds what came since; else a `reset` event comes first.',
  querystring: query({ connector: listOf(text, 'Of these alone') }),
  response: { 200: { content: { 'text/event-stream': { schema: data } } } },
  errors: { 503: 'As many listen to this worker as may' },
} satisfies FastifySchema

/** `GET /events`. @param closing the worker stops: streams end */
export function eventRoutes(app: FastifyInstance, herder: () => Herder, closing: AbortSignal): void {
  let streams = 0
  app.get<{ Querystring: { connector?: string | string[] } }>(
    '/events',
    { schema, exposeHeadRoute: false },
    (asked, reply) => {
      const { ring } = herder().events
      if (streams >= maxStreams)
        throw new RestError(503, `${maxStreams} clients listen to this worker: ask another one`)
      const given = asked.query.connector
      const wanted = given === undefined ? undefined : new Set([given].flat())
      const isWanted = ({ connector }: RingEvent): boolean =>
        wanted === undefined || connector === undefined || wanted.has(connector)
      const lastId = asked.headers['last-event-id']
      const missed = typeof lastId === 'string' ? ring.since(lastId) : undefined
      const stream = new EventStream(reply, closing)
      streams++
      // Its id is where to go on from, also before anything has happened.
      if (missed === undefined) {
        stream.send({ id: ring.lastId, event: lastId === undefined ? 'ready' : 'reset', data: '{}' })
      } else {
        stream.send({ id: String(lastId), event: 'ready', data: '{}' })
        for (const event of missed) if (isWanted(event)) stream.send(event)
      }
      const unlisten = ring.listen((event) => {
        if (isWanted(event)) stream.send(event)
      })
      stream.signal.addEventListener('abort', () => {
        streams--
        unlisten()
      })
      return reply
    },
  )
}
