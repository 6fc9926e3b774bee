import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import { consoleFiles } from './console-files.ts'
import { RestError } from './rest-error.ts'

const schema = { hide: true } satisfies FastifySchema

/** The scripts and styles of the pages. They hold nothing of the cluster, so nobody has to log in for them. */
export function consoleRoutes(app: FastifyInstance): void {
  app.get<{ Params: { file: string } }>('/console/:file', { schema }, async (asked, reply) =>
    send(asked, reply, asked.params.file),
  )
  app.get<{ Params: { file: string } }>('/console/rest-client/:file', { schema }, async (asked, reply) =>
    send(asked, reply, `rest-client/${asked.params.file}`),
  )
}

async function send(asked: FastifyRequest, reply: FastifyReply, path: string): Promise<FastifyReply> {
  const file = (await consoleFiles()).get(path)
  // Pages have routes of their own, with their headers.
  if (file === undefined || path.endsWith('.html')) throw new RestError(404, 'HTTP 404 Not Found')
  void reply
    .header('cache-control', 'no-cache')
    .header('cross-origin-resource-policy', 'same-origin')
    .header('etag', file.etag)
  if (asked.headers['if-none-match'] === file.etag) return reply.code(304).send()
  return reply.header('content-type', file.type).send(file.text)
}
