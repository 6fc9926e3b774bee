import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { fastify, type FastifyInstance, type FastifyReply, type FastifyServerOptions, type RouteOptions } from 'fastify'
import { isRetriable } from '@tidewire/sdk'
import { restSettings, type RestConfig } from '../config/rest-settings.ts'
import { compileSettings } from '../config/settings.ts'
import type { Herder } from '../herder/herder.ts'
import type { Logger } from '../logging/logger.ts'
import { controlAccess, type Access } from './access.ts'
import { activeTopicRoutes } from './active-topic-routes.ts'
import { separateAdmin } from './admin-listeners.ts'
import { adminRoutes } from './admin-routes.ts'
import { keepAuditTrail } from './audit-trail.ts'
import { boundBodies } from './body-budget.ts'
import { bulkRoutes } from './bulk-routes.ts'
import { connectorRoutes } from './connector-routes.ts'
import { consoleRoutes } from './console-routes.ts'
import { guardOrigins } from './cross-origin.ts'
import { docsRoutes } from './docs-routes.ts'
import { errandRoutes } from './errand-routes.ts'
import { refuseChanges } from './files-only.ts'
import { eventRoutes } from './event-routes.ts'
import { Forwarding } from './forwarding.ts'
import { asksForPage, sendPage } from './html-page.ts'
import { healthRoute } from './health-route.ts'
import { internalRoutes } from './internal-routes.ts'
import { parseJsonBody } from './json-body.ts'
import { Listeners, type Listener, type ListenerOptions, type ServerTls } from './listeners.ts'
import { loggerRoutes } from './logger-routes.ts'
import { offsetRoutes } from './offset-routes.ts'
import { pluginRoutes } from './plugin-routes.ts'
import { reencryptRoute } from './reencrypt-route.ts'
import { limitRates } from './request-rates.ts'
import { sendHeaders, type HeaderRule } from './response-headers.ts'
import { messageFor, RestError, statusOf, type ErrorBody } from './rest-error.ts'
import { object, text } from './route-schema.ts'
import { metricsRoute } from './metrics-route.ts'
import { signalRoutes } from './signal-routes.ts'
import { tailRoutes } from './tail-routes.ts'
import { TrustedProxies } from './trusted-proxies.ts'

export interface RestOptions {
  /** Default: one with http on loopback, on any free port. */
  readonly listeners?: readonly ListenerOptions[]
  /** Needed for https. */
  readonly tls?: ServerTls | undefined
  /** Undefined: everybody may do everything. */
  readonly access?: Access | undefined
  /** Limits, other sites' pages. Default: the settings' defaults. */
  readonly config?: RestConfig
  /** Of every answer. */
  readonly headers?: readonly HeaderRule[]
  readonly logger: Logger
  /** The name that others call this worker by; requests for it are answered on loopback too. */
  readonly advertisedHost?: string | undefined
  /** What `GET /` tells. */
  readonly version: string
  /** The same; undefined where nobody knows. */
  readonly commit?: string | undefined
  /** `rest.write.hold.ms`. Default 60 000. */
  readonly writeHoldMs?: number
  /** The connectors come from files: what would change them is refused. */
  readonly filesOnly?: boolean
  /** How long `GET /health` waits for the herder. Default 10 000. */
  readonly healthLimitMs?: number
  /** Told of every route as it is made. */
  readonly onRoute?: (route: RouteOptions) => void
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The body as it came, which signatures are over. */
    rawBody: string
  }
}

export interface RestServer {
  /** Of the first listener. */
  readonly url: string
  readonly listeners: readonly Listener[]
  /** Asks this worker, whoever leads, for this process itself: with no log-in, and through no socket. */
  askItself(method: 'PUT', path: string, body: object): Promise<{ readonly status: number; readonly body: string }>
  /** For connections from now on. @throws Error where the key does not fit the certificate */
  renewTls(tls: ServerTls): void
  /** From now on requests are answered; before, they get 503. */
  serve(herder: Herder): void
  /** No more requests are taken; those under way are answered first, with what they have where they would take long. */
  close(): Promise<void>
}

const maxBodyBytes = 1024 * 1024
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
/** Routes declare schemas for the OpenAPI document; what is checked, and how answers are written, is Kafka Connect's. */
const schemasForDocumentationOnly = {
  buildValidator: () => () => () => true,
  buildSerializer: () => () => (value: unknown) => JSON.stringify(value),
  // Its type wants what ajv makes; all that is called is the function.
} as unknown as NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>
const consolePage = new URL('../../../console/index.html', import.meta.url)

/**
 * Listens at once and answers 503 until there is a herder, so that who waits for the worker can tell "starting" from
 * "not there". @throws Error when the address is taken, or a setting is wrong
 */
export async function startRest(options: RestOptions): Promise<RestServer> {
  let herder: Herder | undefined
  const closing = new AbortController()
  const holdMs = options.writeHoldMs ?? 60_000
  const ready = (): Herder => {
    if (herder === undefined) throw new RestError(503, 'Worker is still starting up.')
    return herder
  }
  const config = options.config ?? compileSettings(restSettings)({}).config
  const proxies = new TrustedProxies(config['rest.trusted.proxies'])
  const listeners = new Listeners({
    proxies,
    listeners: options.listeners ?? [{ protocol: 'http', host: '127.0.0.1', port: 0 }],
    tls: options.tls,
    logger: options.logger,
    connections: {
      maxConnections: config['rest.max.connections'],
      maxConnectionsPerIp: config['rest.max.connections.per.ip'],
      headerTimeoutMs: config['rest.header.timeout.ms'],
      requestTimeoutMs: config['rest.request.timeout.ms'],
      idleTimeoutMs: config['rest.idle.timeout.ms'],
    },
  })
  const listenerOf = (request: IncomingMessage) => listeners.of(request)
  const app = fastify({
    bodyLimit: maxBodyBytes,
    genReqId: () => randomUUID(),
    // What goes wrong before a route is found, such as a bad percent encoding.
    frameworkErrors: (error, _, reply) => void sendError(reply as FastifyReply, statusOf(error), error.message),
    // Whose word it is taken for where a request comes from (request.ip).
    trustProxy: (address) => proxies.has(address),
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 2048 },
    schemaController: { compilersFactory: schemasForDocumentationOnly },
  })
  if (options.onRoute !== undefined) app.addHook('onRoute', options.onRoute)
  acceptJsonOnly(app)
  answerErrors(app, options.logger)
  sendHeaders(app, options.headers ?? [])
  keepAuditTrail(app, () => herder)
  app.addHook('onSend', async (_, reply) => {
    if (closing.signal.aborted) void reply.header('connection', 'close')
  })
  limitRates(app, config, options.logger)
  separateAdmin(app, config, listenerOf, ready)
  guardOrigins(app, {
    settings: config,
    advertisedHost: options.advertisedHost,
    hasLogIn: options.access !== undefined,
    listenerOf,
  })
  controlAccess(app, options.access, ready, (request) => listenerOf(request) === undefined)
  boundBodies(app)
  if (options.filesOnly === true) refuseChanges(app)
  const answerOtherMethods = collectMethods(app)
  await rootRoutes(app, options, ready)
  const forwarding = new Forwarding({ herder: ready, holdMs, closing: closing.signal })
  connectorRoutes(app, ready, forwarding)
  bulkRoutes(app, forwarding)
  errandRoutes(app, ready, closing.signal)
  offsetRoutes(app, ready, forwarding, closing.signal)
  signalRoutes(app, ready)
  metricsRoute(app, ready)
  internalRoutes(app, ready)
  adminRoutes(app, ready, holdMs, closing.signal)
  reencryptRoute(app, forwarding)
  pluginRoutes(app, ready)
  activeTopicRoutes(app, ready)
  loggerRoutes(app, ready, forwarding)
  docsRoutes(app)
  consoleRoutes(app)
  eventRoutes(app, ready, closing.signal)
  tailRoutes(app, ready, closing.signal)
  answerOtherMethods()

  await app.ready()
  const opened = await listeners.open((request, response) => app.routing(request, response))
  return {
    url: opened[0]!.url,
    listeners: opened,
    renewTls: (tls) => listeners.renewTls(tls),
    serve: (ready) => void (herder = ready),
    askItself: async (method, url, body) => {
      const answer = await app.inject({ method, url, payload: body })
      return { status: answer.statusCode, body: answer.body }
    },
    close: async () => {
      closing.abort()
      await Promise.all([listeners.close(), app.close()])
    },
  }
}

async function rootRoutes(
  app: FastifyInstance,
  { version, commit = 'unknown', healthLimitMs }: RestOptions,
  ready: () => Herder,
): Promise<void> {
  const page = await readFile(consolePage, 'utf8').catch(() => undefined)
  app.get('/', { schema: docs.root }, ({ headers }, reply) => {
    if (asksForPage(headers)) {
      if (page === undefined)
        throw new RestError(404, 'This installation lacks the console: GET / with Accept: application/json')
      return sendPage(reply, page)
    }
    return { version, commit, kafka_cluster_id: ready().clusterId }
  })
  healthRoute(app, ready, healthLimitMs)
}

const docs = {
  root: {
    tags: ['Worker'],
    summary: 'What this worker is; to a browser, the console',
    response: { 200: object({ version: text, commit: text, kafka_cluster_id: text }) },
  },
}

function acceptJsonOnly(app: FastifyInstance): void {
  app.decorateRequest('rawBody', '')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    try {
      request.rawBody = body as string
      done(null, parseJsonBody(body as string))
    } catch (error) {
      done(error as Error, undefined)
    }
  })
  // A client that declares some other type and sends nothing, as for a restart, is understood all the same.
  app.addContentTypeParser('*', (request, payload, done) => {
    const empty = request.headers['content-length'] === '0' || request.headers['content-length'] === undefined
    payload.resume()
    if (empty && request.headers['transfer-encoding'] === undefined) done(null, undefined)
    else done(new RestError(415, 'HTTP 415 Unsupported Media Type: send application/json'), undefined)
  })
}

function answerErrors(app: FastifyInstance, logger: Logger): void {
  app.addHook('onSend', async (_, reply) => {
    void reply.header('x-content-type-options', 'nosniff')
  })
  app.setNotFoundHandler((_, reply) => sendError(reply, 404, 'HTTP 404 Not Found'))
  app.setErrorHandler((error: Error, request, reply) => {
    const status = statusOf(error)
    if (status === 500) {
      const { method, routeOptions } = request
      logger.error('a request failed', { method, route: routeOptions.url, error: error.stack ?? error.message })
    }
    if (status === 503 || (status === 409 && isRetriable(error))) void reply.header('retry-after', '1')
    if (error instanceof RestError) void reply.headers(error.headers)
    const { bodyLimit } = request.routeOptions
    const message = status === 413 ? `HTTP 413 Request Entity Too Large: at most ${bodyLimit} bytes` : messageFor(error)
    return sendError(reply, status, message)
  })
}

function sendError(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply.code(status).send({ error_code: status, message } satisfies ErrorBody)
}

/** Notes the routes made from now on; the function it returns answers 405 for the methods that they lack. */
function collectMethods(app: FastifyInstance): () => void {
  const known = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method, config }) => {
    if (config !== undefined && 'besideParameter' in config) return
    const found = known.get(url) ?? new Set<string>()
    for (const one of Array.isArray(method) ? method : [method]) found.add(one)
    known.set(url, found)
  })
  return () => {
    for (const [url, found] of [...known]) {
      const lacking = methods.filter((method) => !found.has(method))
      const allow = [...found].join(', ')
      app.route({
        method: lacking,
        url,
        schema: { hide: true },
        config: { isRefusal: true },
        handler: async (_, reply) => {
          void reply.header('allow', allow)
          throw new RestError(405, 'HTTP 405 Method Not Allowed')
        },
      })
    }
  }
}
