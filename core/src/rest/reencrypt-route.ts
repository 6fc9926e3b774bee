import type { FastifyInstance, FastifySchema } from 'fastify'
import type { Forwarding } from './forwarding.ts'
import { about, mapOf, oneOfTexts } from './route-schema.ts'

const schema = {
  tags: ['Cluster'],
  summary: 'Has all secrets in the config topic encrypted with the newest key',
  description:
    'The leader writes anew what stands there in clear or with an older key, in configs of tasks too. To be asked again does no harm. What is encrypted with a key that the leader lacks stays as it is.',
  response: {
    200: about('By connector, what became of its secrets', mapOf(oneOfTexts(['current', 'reencrypted', 'unreadable']))),
  },
  errors: { 400: 'The leader has no key' },
} satisfies FastifySchema

/** `PUT /admin/reencrypt`, which Kafka Connect does not have. */
export function reencryptRoute(app: FastifyInstance, forwarding: Forwarding): void {
  app.put('/admin/reencrypt', { schema }, async (asked, reply) =>
    forwarding.run(
      asked,
      reply,
      (herder) => herder.reencrypt(),
      (done) => reply.send(done),
    ),
  )
}
