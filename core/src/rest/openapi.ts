/** The OpenAPI 3.1 document of the REST API, made from what the routes declare. */
import type { FastifySchema, RouteOptions } from 'fastify'
import { accessRule, roles, type Role } from './access-rules.ts'
import { errorBody } from './api-schemas.ts'
import type { ContentSchema, JsonSchema } from './route-schema.ts'

/** A route as it was declared. */
export interface DeclaredRoute {
  readonly method: string
  /** As Fastify has it: `/connectors/:name`. */
  readonly url: string
  readonly schema: FastifySchema | undefined
}

/** A schema with its components taken out. */
export type ReferringSchema = { readonly $ref?: string } & JsonSchema

export interface Operation {
  readonly operationId: string
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
  /** The least role that may, where there is access control; what is asked for may need more. */
  readonly 'x-role'?: Role
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly required: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, Response>>
}

interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query'
  readonly required: boolean
  readonly description?: string
  readonly schema: ReferringSchema
}

type Content = Readonly<Record<string, { readonly schema: ReferringSchema }>>
type Response = { readonly description: string; readonly content?: Content } | { readonly $ref: string }

export interface OpenApiDocument {
  readonly openapi: '3.1.0'
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, ReferringSchema>>
    readonly responses: Readonly<Record<string, Response>>
    readonly securitySchemes: Readonly<
      Record<string, { readonly type: 'http' | 'mutualTLS'; readonly scheme?: string }>
    >
  }
}

const description = `Kafka Connect's REST API, and what its users miss.

**Errors** are \`{"error_code": <status>, "message": <text>}\`; the message says what happened to what, and what to do next.

| status | |
|---|---|
| 400 | the request is wrong: no JSON, a field or a setting that is missing, unknown or of the wrong kind |
| 401, 403 | who asks is not known, or may not do this |
| 404 | no such connector, task or plugin |
| 405, 413, 415 | this path lacks the method; the body is too large; it is no JSON |
| 409 | the connector exists or, with \`Retry-After\`, no leader was found in time: send it again |
| 429 | more requests, or more wrong log-ins, than may come in that time: send it again after \`Retry-After\` |
| 500 | a mistake of ours, with its trace in the worker's log |
| 503 | the worker is starting or stopping, or the log does not answer: send it again after \`Retry-After\` |

Where there is access control, \`x-role\` is the least role that may make a call: view, operate or admin.

What is odd about a config, and no error, comes in \`Warning\` headers.`

const emptyTypes = { 201: 'Created', 202: 'Accepted', 204: 'No content' } as const

/** @throws Error when two schemas have one title */
export function openApiDocument(routes: readonly DeclaredRoute[], version: string): OpenApiDocument {
  const components = new Components()
  const paths: Record<string, Record<string, Operation>> = {}
  const documented = routes
    .filter(({ method, schema }) => method !== 'HEAD' && schema !== undefined && schema.hide !== true)
    .map((route) => ({ ...route, path: route.url.replace(/:(\w+)/g, '{$1}') }))
    .sort((a, b) => compare(a.path, b.path))
  for (const { method, url, path, schema } of documented) {
    ;(paths[path] ??= {})[method.toLowerCase()] = {
      ...operation(method, path, schema!, components),
      ...roleOf(method, url),
    }
  }
  const error = components.refer(errorBody)
  return {
    openapi: '3.1.0',
    info: { title: 'Tidewire', version, description },
    security: [{}, { basic: [] }, { bearer: [] }, { certificate: [] }],
    paths,
    components: {
      schemas: components.sorted(),
      responses: { Error: { description: 'An error', content: { 'application/json': { schema: error } } } },
      securitySchemes: {
        basic: { type: 'http', scheme: 'basic' },
        bearer: { type: 'http', scheme: 'bearer' },
        certificate: { type: 'mutualTLS' },
      },
    },
  }
}

/** For a server's `onRoute`. */
export function declaredRoutes({ method, url, schema }: RouteOptions): DeclaredRoute[] {
  return (Array.isArray(method) ? method : [method]).map((each) => ({ method: each, url, schema }))
}

function operation(method: string, path: string, schema: FastifySchema, components: Components): Operation {
  const { summary, description: more, tags } = schema
  const parameters = [
    ...pathParameters(path, schema.params as JsonSchema | undefined, components),
    ...queryParameters(schema.querystring as JsonSchema | undefined, components),
  ]
  const body = schema.body as JsonSchema | ContentSchema | undefined
  return {
    operationId: operationId(method, path),
    ...(summary === undefined ? {} : { summary }),
    ...(more === undefined ? {} : { description: more }),
    ...(tags === undefined ? {} : { tags }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: isNeeded(body), content: contentOf(body, components) } }),
    responses: responses(schema, components),
  }
}

function roleOf(method: string, url: string): { readonly 'x-role'?: Role } {
  const needs = accessRule(method, url)?.needs
  const role = roles.find((each) => each === needs)
  return role === undefined ? {} : { 'x-role': role }
}

function pathParameters(path: string, schema: JsonSchema | undefined, components: Components): Parameter[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => {
    const { description: text, ...own } = components.refer(schema?.properties?.[name!] ?? { type: 'string' })
    return {
      name: name!,
      in: 'path',
      required: true,
      ...(text === undefined ? {} : { description: text }),
      schema: own,
    }
  })
}

function queryParameters(schema: JsonSchema | undefined, components: Components): Parameter[] {
  return Object.entries(schema?.properties ?? {}).map(([name, each]) => {
    const { description: text, ...own } = components.refer(each)
    const required = schema?.required?.includes(name) === true
    return { name, in: 'query', required, ...(text === undefined ? {} : { description: text }), schema: own }
  })
}

function responses(schema: FastifySchema, components: Components): Record<string, Response> {
  const declared = Object.entries((schema.response ?? {}) as Readonly<Record<string, JsonSchema | ContentSchema>>)
  const successes = declared.map(([status, answer]): [string, Response] => {
    const standard = emptyTypes[Number(status) as keyof typeof emptyTypes] as string | undefined
    const text = answer.description ?? standard ?? 'OK'
    if ('type' in answer && answer.type === 'null') return [status, { description: text }]
    return [status, { description: text, content: contentOf(answer, components) }]
  })
  const errors = Object.entries(schema.errors ?? {}).map(([status, text]): [string, Response] => [
    status,
    { description: text, content: contentOf(errorBody, components) },
  ])
  return Object.fromEntries([...successes, ...errors, ['default', { $ref: '#/components/responses/Error' }]])
}

function contentOf(schema: JsonSchema | ContentSchema, components: Components): Content {
  if (!('content' in schema)) return { 'application/json': { schema: components.refer(schema) } }
  return Object.fromEntries(
    Object.entries(schema.content).map(([type, { schema: each }]) => [type, { schema: components.refer(each) }]),
  )
}

/** A body of which every field may be missing may be missing itself. */
function isNeeded(body: JsonSchema | ContentSchema): boolean {
  return 'content' in body || body.properties === undefined || body.required !== undefined
}

/** `GET /connectors/{name}/status`: getConnectorsNameStatus. */
function operationId(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
  return (
    method.toLowerCase() +
    (words.length === 0 ? 'Root' : words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join(''))
  )
}

/** Schemas that have a title, each once. */
class Components {
  readonly #texts = new Map<string, string>()
  readonly #schemas = new Map<string, ReferringSchema>()

  /** The schema with references in place of what has a title. */
  refer(schema: JsonSchema): ReferringSchema {
    const { title, description: own, ...rest } = schema
    if (title === undefined) return this.#inner(schema)
    const written = JSON.stringify(rest)
    const before = this.#texts.get(title)
    if (before !== undefined && before !== written) throw new Error(`two schemas have the title ${title}`)
    if (before === undefined) {
      this.#texts.set(title, written)
      this.#schemas.set(title, this.#inner({ ...(own === undefined ? {} : { description: own }), ...rest }))
    }
    const isItsOwn = own === undefined || own === this.#schemas.get(title)?.description
    return { $ref: `#/components/schemas/${title}`, ...(isItsOwn ? {} : { description: own }) }
  }

  sorted(): Record<string, ReferringSchema> {
    return Object.fromEntries([...this.#schemas].sort(([a], [b]) => compare(a, b)))
  }

  #inner(schema: JsonSchema): ReferringSchema {
    const { properties, items, additionalProperties, anyOf } = schema
    return {
      ...schema,
      ...(properties === undefined
        ? {}
        : {
            properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, this.refer(each)])),
          }),
      ...(items === undefined ? {} : { items: this.refer(items) }),
      ...(additionalProperties === undefined ? {} : { additionalProperties: this.refer(additionalProperties) }),
      ...(anyOf === undefined ? {} : { anyOf: anyOf.map((each) => this.refer(each)) }),
    }
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
