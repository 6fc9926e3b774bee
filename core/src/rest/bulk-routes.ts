import type { FastifyInstance, FastifySchema } from 'fastify'
import type { BulkRequest } from '../herder/bulk-apply.ts'
import type { WantedConnector } from '../herder/connector-writes.ts'
import { InvalidConfigError } from '../herder/validation.ts'
import { givenConfig, initialState } from './api-schemas.ts'
import type { Forwarding } from './forwarding.ts'
import { wantedConnectorOf } from './request-config.ts'
import { RestError } from './rest-error.ts'
import { about, flag, listOf, mapOf, object, oneOfTexts, query, text, type JsonSchema } from './route-schema.ts'

/** A cluster's connectors may be many. */
const maxBytes = 16 * 1024 * 1024

const value: JsonSchema = { type: ['string', 'null'] }
const change: JsonSchema = {
  title: 'BulkChange',
  ...object(
    {
      action: oneOfTexts(['create', 'update', 'unchanged', 'delete']),
      changes: mapOf(object({ from: value, to: value }), 'By setting; secrets are masked, null is: not set'),
      errors: mapOf(listOf(text), 'Of a dry run: what is wrong with the config, by setting'),
      warnings: listOf(text),
    },
    ['changes', 'errors', 'warnings'],
  ),
}

const wantedConnector: JsonSchema = {
  title: 'WantedConnector',
  ...object(
    {
      config: givenConfig,
      initial_state: about('Where it is not there yet: what it begins as (default RUNNING)', initialState),
    },
    ['initial_state'],
  ),
}

const schema = {
  tags: ['Connectors'],
  summary: 'Makes the connectors what the configs say: creates, changes, leaves alone and, if so asked, deletes',
  description:
    'All configs are checked before the first is written; sent again, nothing changes. What runs is left alone where its config is as it was.',
  querystring: query({
    delete: about('Delete the connectors that are not named', { ...flag, default: false }),
    dryRun: about('Say what would be done, and do nothing', { ...flag, default: false }),
  }),
  body: mapOf(
    { anyOf: [givenConfig, wantedConnector] },
    'By connector: its config, or its config with what it begins as',
  ),
  response: {
    200: {
      title: 'BulkResult',
      ...object({ dryRun: flag, connectors: mapOf(change, 'What was done to each, or would be') }),
    },
  },
  errors: { 400: 'Some configs are wrong; each is named, and nothing was written' },
} satisfies FastifySchema

/** `PUT /connectors`, which Kafka Connect does not have. */
export function bulkRoutes(app: FastifyInstance, forwarding: Forwarding): void {
  app.put('/connectors', { schema, bodyLimit: maxBytes }, async (asked, reply) => {
    const bulk = bulkRequestOf(asked.body, asked.query as Readonly<Record<string, unknown>>)
    return forwarding.run(
      asked,
      reply,
      (herder, request) => herder.bulk.apply(bulk, request),
      (result) => reply.send(result),
    )
  })
}

/** @throws RestError, InvalidConfigError */
function bulkRequestOf(body: unknown, asked: Readonly<Record<string, unknown>>): BulkRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new RestError(400, 'The request body must be a JSON object: {"<connector>": {<config>}, …}')
  }
  const connectors = new Map(Object.entries(body).map(([name, given]) => [name, wantedOf(name, given)]))
  const deletesOthers = flagOf(asked, 'delete')
  if (deletesOthers && connectors.size === 0) {
    throw new RestError(
      400,
      'The request names no connector, so that delete=true would delete all: delete them one by one if that is meant',
    )
  }
  return { connectors, deletesOthers, dryRun: flagOf(asked, 'dryRun') }
}

/** Its name stands before what is wrong. */
function wantedOf(name: string, given: unknown): WantedConnector {
  try {
    return wantedConnectorOf(name, given)
  } catch (error) {
    if (error instanceof InvalidConfigError || error instanceof RestError) {
      throw new RestError(400, `${name}: ${error.message}`)
    }
    throw error
  }
}

function flagOf(asked: Readonly<Record<string, unknown>>, name: string): boolean {
  const text = asked[name]
  if (text === undefined || text === 'false') return false
  if (text === 'true' || text === '') return true
  throw new RestError(400, `${name} must be true or false`)
}
