import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import { sendPage } from './html-page.ts'
import { RestError } from './rest-error.ts'
import { anything, text } from './route-schema.ts'

const documentFile = new URL('../../../docs/openapi.json', import.meta.url)
const pageFile = new URL('../../../console/api.html', import.meta.url)

const tags = ['Worker']
const docs = {
  document: { tags, summary: 'This document', response: { 200: anything } },
  page: {
    tags,
    summary: 'This document as a page to read',
    response: { 200: { content: { 'text/html': { schema: text } } } },
  },
}

/** The description of the API, which a worker gives while it starts too. Read when asked: that is seldom. */
export function docsRoutes(app: FastifyInstance): void {
  app.get('/openapi.json', { schema: docs.document }, async (_, reply) =>
    reply.type('application/json; charset=utf-8').send(await contentOf(documentFile)),
  )

  app.get('/docs', { schema: docs.page }, async (_, reply) => sendPage(reply, await contentOf(pageFile)))
}

async function contentOf(file: URL): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new RestError(
      404,
      `This installation lacks ${file.pathname.split('/').slice(-2).join('/')}: ${(error as Error).message}`,
    )
  }
}
