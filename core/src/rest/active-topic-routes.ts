import type { FastifyInstance, FastifySchema } from 'fastify'
import type { ConnectorTopics } from '../herder/connector-topics.ts'
import type { Herder } from '../herder/herder.ts'
import { RestError } from './rest-error.ts'
import { listOf, mapOf, nothing, object, text } from './route-schema.ts'

interface Named {
  Params: { name: string }
}

const tags = ['Connectors']
const docs = {
  topics: {
    tags,
    summary: 'The topics that a connector has used, by its name',
    response: { 200: mapOf(object({ topics: listOf(text) })) },
    errors: { 403: '`topic.tracking.enable` is false' },
  },
  reset: {
    tags,
    summary: 'Empties the list of topics; what goes on being used is in it again soon',
    response: { 202: nothing },
    errors: { 403: '`topic.tracking.enable` or `topic.tracking.allow.reset` is false' },
  },
} satisfies Readonly<Record<string, FastifySchema>>

/** Which topics a connector has used (KIP-558). Any worker answers, and resets. */
export function activeTopicRoutes(app: FastifyInstance, herder: () => Herder): void {
  const tracked = (): ConnectorTopics => {
    const { topics } = herder()
    if (!topics.isTracked) throw new RestError(403, 'Topic tracking is disabled.')
    return topics
  }

  app.get<Named>('/connectors/:name/topics', { schema: docs.topics }, ({ params: { name } }) => ({
    [name]: { topics: tracked().of(name) },
  }))

  app.put<Named>('/connectors/:name/topics/reset', { schema: docs.reset }, (asked, reply) => {
    const topics = tracked()
    if (!topics.mayReset) throw new RestError(403, 'Topic tracking reset is disabled.')
    topics.reset(asked.params.name)
    return reply.code(202).send()
  })
}
