import { PassThrough } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifySchema } from 'fastify'
import { previewText, type Preview } from '../herder/connector-errands.ts'
import type { Herder } from '../herder/herder.ts'
import { messageOf } from '../logging/message-of.ts'
import { lettersQueryOf, previewRequestOf, redriveRequestOf } from './errand-requests.ts'
import { deadLetters, preview, previewRequest, redrivenLine, redriveRequest } from './errand-schemas.ts'
import { integer, query, text } from './route-schema.ts'

const tags = ['Previews and dead letters']
const docs = {
  preview: {
    tags,
    summary: 'What a connector would do, of a config that need not be stored; nothing is written',
    body: previewRequest,
    response: { 200: preview },
  },
  previewStored: {
    tags,
    summary: 'What a connector would do; nothing is written',
    body: previewRequest,
    response: { 200: preview },
  },
  letters: {
    tags,
    summary: 'A connector’s dead letters',
    querystring: query({
      limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
      partition: integer,
      from: { ...text, description: 'An offset, `earliest` or `redriven`', default: 'earliest' },
    }),
    response: { 200: deadLetters },
    errors: { 404: 'No such connector, or it has no topic for dead letters' },
  },
  redrive: {
    tags,
    summary:
      'Puts dead letters back through the connector: a line for each as soon as it is certain, and one at the end',
    body: redriveRequest,
    response: { 200: { content: { 'application/x-ndjson': { schema: redrivenLine } } } },
    errors: { 409: 'A re-drive of this connector is under way', 503: 'This worker has enough such work' },
  },
} satisfies Readonly<Record<string, FastifySchema>>

interface Named {
  Params: { name: string }
}

/**
 * Previews, dead letters and re-drives: what Kafka Connect does not have. Any worker answers.
 * @param closing the worker stops: they end with what they have
 */
export function errandRoutes(app: FastifyInstance, herder: () => Herder, closing: AbortSignal): void {
  const untilClosed = (reply: FastifyReply): AbortSignal => AbortSignal.any([untilGone(reply), closing])

  // A connector may have that name: the other methods are those of `/connectors/:name`.
  app.post('/connectors/preview', { schema: docs.preview, config: besideParameter }, async ({ body }, reply) => {
    const { name, request } = previewRequestOf(body, undefined)
    return sendPreview(reply, await herder().errands.preview(name, request, untilClosed(reply)))
  })

  app.post<Named>('/connectors/:name/preview', { schema: docs.previewStored }, async ({ params, body }, reply) => {
    const { name, request } = previewRequestOf(body, params.name)
    return sendPreview(reply, await herder().errands.preview(name, request, untilClosed(reply)))
  })

  app.get<Named>('/connectors/:name/dlq', { schema: docs.letters }, async ({ params, query }, reply) =>
    herder().errands.letters(params.name, lettersQueryOf(query), untilClosed(reply)),
  )

  app.post<Named>('/connectors/:name/dlq/redrive', { schema: docs.redrive }, async ({ params, body }, reply) => {
    const request = redriveRequestOf(body)
    return sendLines(reply, (line) => herder().errands.redrive(params.name, request, line, untilClosed(reply)))
  })
}

/** For the server's answers to methods that a path does not have. */
const besideParameter = { besideParameter: true }

function sendPreview(reply: FastifyReply, preview: Preview): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(previewText(preview))
}

/**
 * Sends what comes as it comes, a line of JSON each, and at last what the work came to, with `"done": true`. What fails
 * before the first line is an error like any other; later it is the last line's `error`.
 */
async function sendLines<E extends object>(
  reply: FastifyReply,
  work: (line: (item: object) => void) => Promise<E>,
): Promise<FastifyReply> {
  const lines = new PassThrough()
  const begun = Promise.withResolvers<undefined>()
  const write = (item: object): void => {
    lines.write(`${JSON.stringify(item)}\n`)
    begun.resolve(undefined)
  }
  const working = work(write)
  working.then(
    (end) => lines.end(`${JSON.stringify({ done: true, ...end })}\n`),
    (error: unknown) => {
      const text = messageOf(error)
      lines.end(`${JSON.stringify({ done: true, ended: 'failed', error: text })}\n`)
    },
  )
  await Promise.race([begun.promise, working])
  return reply.type('application/x-ndjson; charset=utf-8').send(lines)
}

/** Aborted when the client has gone, or has its answer. */
export function untilGone(reply: FastifyReply): AbortSignal {
  const closed = new AbortController()
  reply.raw.once('close', () => closed.abort())
  return closed.signal
}
