import type { FastifyInstance, FastifySchema } from 'fastify'
import type { SignalRequest } from '../herder/connector-signals.ts'
import type { Herder } from '../herder/herder.ts'
import { fieldsOf } from './errand-requests.ts'
import { RestError } from './rest-error.ts'
import { about, mapOf, object, text } from './route-schema.ts'

const maxBytes = 64 * 1024
const typeName = /^[a-zA-Z][a-zA-Z0-9._-]{0,63}$/
const maxIdLength = 128

const schema = {
  tags: ['Connectors'],
  summary: 'Sends a connector a signal: something that its tasks are to do while they run',
  description:
    'The signal is a record of the topic that the connector reads signals from, with the value `{"id", "type", "data"}`. Which there are, the connector says. A stopped one reads it when it runs again.',
  body: {
    title: 'Signal',
    ...object(
      {
        id: about(`Tells it apart, at most ${maxIdLength} characters; one is made where there is none`, text),
        type: about('Which: letters, digits, `.`, `_` and `-`, at most 64', text),
        data: mapOf({}, 'What more there is to say'),
      },
      ['id', 'data'],
    ),
  },
  response: { 202: about('It is in the topic', object({ id: text })) },
  errors: { 409: 'The connector takes no signals, or not as it is configured' },
} satisfies FastifySchema

/** `POST /connectors/{name}/signals`. Any worker writes them. */
export function signalRoutes(app: FastifyInstance, herder: () => Herder): void {
  app.post<{ Params: { name: string } }>(
    '/connectors/:name/signals',
    { schema, bodyLimit: maxBytes },
    async ({ params, body, rawBody }, reply) => {
      const id = await herder().signals.send(params.name, signalOf(body, rawBody))
      return reply.code(202).send({ id })
    },
  )
}

/** @throws RestError */
function signalOf(body: unknown, json: string): SignalRequest {
  const { id, type, data = {} } = fieldsOf(body, ['id', 'type', 'data'])
  if (typeof type !== 'string' || !typeName.test(type)) {
    throw new RestError(400, 'type must be a name: a letter, then letters, digits, ".", "_" and "-", at most 64 in all')
  }
  if (id !== undefined && !isId(id)) {
    throw new RestError(400, `id must be a text of 1 to ${maxIdLength} characters, none of them a control character`)
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw new RestError(400, 'data must be a JSON object')
  }
  return { id, type, json }
}

function isId(id: unknown): id is string {
  return typeof id === 'string' && id !== '' && id.length <= maxIdLength && !/\p{Cc}/u.test(id)
}
