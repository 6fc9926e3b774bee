/** The registry's API over HTTP. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { RegistryConfig } from '../config/registry-settings.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import type { Access } from '../rest/access.ts'
import { boundBodies } from '../rest/body-budget.ts'
import { guardOrigins } from '../rest/cross-origin.ts'
import { parseJsonBody } from '../rest/json-body.ts'
import type { Listener } from '../rest/listeners.ts'
import { limitRates } from '../rest/request-rates.ts'
import { sendHeaders, type HeaderRule } from '../rest/response-headers.ts'
import { RestError } from '../rest/rest-error.ts'
import type { TrustedProxies } from '../rest/trusted-proxies.ts'
import { absentRoutes } from './absent-routes.ts'
import { withoutContextPath } from './context-path.ts'
import { answerType, requestTypes } from './media-types.ts'
import { guardRoutes } from './registry-access.ts'
import { RegistryError } from './registry-error.ts'
import type { Registry } from './registry.ts'
import { send } from './route-answers.ts'
import type { RouteServices } from './route-services.ts'
import { schemaRoutes } from './schema-routes.ts'
import { settingsRoutes } from './settings-routes.ts'
import { subjectRoutes } from './subject-routes.ts'

export interface RegistryServerOptions {
  readonly config: RegistryConfig
  /** Undefined: everybody may do everything. */
  readonly access: Access | undefined
  readonly headers: readonly HeaderRule[]
  readonly proxies: TrustedProxies
  readonly listenerOf: (request: IncomingMessage) => Listener | undefined
  readonly advertisedHost: string | undefined
  readonly about: RouteServices['about']
  readonly logger: Logger
}

export interface RegistryServer {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  /** From now on requests are answered; before, they get 503. */
  serve(registry: Registry): void
  close(): Promise<void>
}

/** Subjects are named in paths, percent-encoded. */
const MAX_PARAMETER_LENGTH = 40_000

export async function createRegistryServer(options: RegistryServerOptions): Promise<RegistryServer> {
  const { config, logger, proxies, listenerOf } = options
  let registry: Registry | undefined
  const app = fastify({
    bodyLimit: config['size.limit.filter.max.request.body.size'],
    frameworkErrors: (error, _, reply) =>
      void sendError(reply.request as FastifyRequest, reply as FastifyReply, error.statusCode ?? 400, error.message),
    trustProxy: (address) => proxies.has(address),
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: MAX_PARAMETER_LENGTH },
  })
  answerErrors(app, logger)
  sendHeaders(app, options.headers)
  limitRates(app, config, logger)
  guardOrigins(app, {
    settings: config,
    advertisedHost: options.advertisedHost,
    hasLogIn: options.access !== undefined,
    listenerOf,
  })
  guardRoutes(app, options.access, () => registry?.keys ?? new Set())
  negotiate(app)
  boundBodies(app)
  const services: RouteServices = {
    registry: () => {
      if (registry === undefined) throw new RegistryError(503, 50300, 'The schema registry is starting up')
      return registry
    },
    config,
    about: options.about,
  }
  subjectRoutes(app, services)
  schemaRoutes(app, services)
  settingsRoutes(app, services)
  absentRoutes(app)
  await app.ready()
  return {
    handle: (request, response) => {
      try {
        request.url = withoutContextPath(request.url ?? '/')
      } catch (error) {
        refuse(response, error as Error)
        return
      }
      app.routing(request, response)
    },
    serve: (ready) => void (registry = ready),
    close: () => app.close(),
  }
}

/** Takes and gives JSON by the names that the API has for it. */
function negotiate(app: FastifyInstance): void {
  if (!app.hasRequestDecorator('rawBody')) app.decorateRequest('rawBody', '')
  app.addHook('onRequest', async ({ headers }) => {
    if (answerType(headers.accept) === undefined) throw new RestError(406, 'HTTP 406 Not Acceptable')
  })
  app.removeAllContentTypeParsers()
  // A body that says nothing of its type is taken for what it has to be.
  app.addContentTypeParser('*', { parseAs: 'string' }, (request, body, done) => {
    try {
      requireKnownType(request.headers['content-type'], body as string)
      request.rawBody = body as string
      done(null, parseJsonBody(body as string))
    } catch (error) {
      done(error as Error, undefined)
    }
  })
}

/** @throws RestError 415 */
function requireKnownType(header: string | undefined, body: string): void {
  const type = header?.split(';')[0]!.trim().toLowerCase()
  if (type === undefined || requestTypes.includes(type) || body === '') return
  throw new RestError(415, `HTTP 415 Unsupported Media Type: send ${requestTypes[0]!}`)
}

function answerErrors(app: FastifyInstance, logger: Logger): void {
  app.addHook('onSend', async (_, reply) => {
    void reply.header('x-content-type-options', 'nosniff')
  })
  app.setNotFoundHandler((request, reply) => sendError(request, reply, 404, 'HTTP 404 Not Found'))
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    if (error instanceof RegistryError) {
      if (error.status === 500) logFailure(logger, request, error)
      return send(request, reply, { error_code: error.code, message: error.message }, error.status)
    }
    if (error instanceof RestError) void reply.headers(error.headers)
    const status = error.statusCode !== undefined && error.statusCode >= 400 ? error.statusCode : 500
    if (status === 500) logFailure(logger, request, error)
    const { bodyLimit } = request.routeOptions
    if (status === 413)
      return sendError(request, reply, 413, `HTTP 413 Request Entity Too Large: at most ${bodyLimit} bytes`)
    return sendError(request, reply, status, status === 500 ? 'Internal Server Error' : error.message)
  })
}

function logFailure(logger: Logger, { method, routeOptions }: FastifyRequest, error: Error): void {
  const known = error instanceof RegistryError
  logger.error('a request to the schema registry failed', {
    method,
    route: routeOptions.url,
    error: known ? error.message : (error.stack ?? error.message),
    ...(error.cause === undefined ? {} : { cause: messageOf(error.cause) }),
  })
}

function sendError(request: FastifyRequest, reply: FastifyReply, status: number, message: string): FastifyReply {
  return send(request, reply, { error_code: status, message }, status)
}

/** Before there is a route. */
function refuse(response: ServerResponse, { message }: Error): void {
  const body = JSON.stringify({ error_code: 400, message })
  response.writeHead(400, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
}
