/**
 * What a route says about itself for the OpenAPI document, as Fastify's `schema`. It documents and does nothing else: what
 * a request may hold is checked by the route, in Kafka Connect's words, and answers are written as they are.
 */

/** The part of JSON Schema 2020-12 that the routes need. One with a title becomes a component of that name. */
export interface JsonSchema {
  readonly title?: string
  readonly description?: string
  readonly type?: JsonType | readonly JsonType[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema
  readonly items?: JsonSchema
  readonly enum?: readonly (string | number | null)[]
  readonly const?: string | number | boolean
  readonly anyOf?: readonly JsonSchema[]
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly examples?: readonly unknown[]
}

type JsonType = 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null'

/** An answer that is no JSON document: each line, each event, or the whole, by media type. */
export interface ContentSchema {
  readonly description?: string
  readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>>
}

declare module 'fastify' {
  interface FastifySchema {
    /** One line: what the call does. */
    summary?: string
    /** More, as Markdown. */
    description?: string
    /** Where it stands in the document. */
    tags?: readonly string[]
    /** What error answers mean here, by status, beyond those that every call may give. */
    errors?: Readonly<Record<number, string>>
    /** Left out of the document: nothing for a client. */
    hide?: boolean
  }
}

export const text = { type: 'string' } as const
export const integer = { type: 'integer' } as const
export const flag = { type: 'boolean' } as const
/** Any JSON value. */
export const anything = {} as const
/** An answer without a body. */
export const nothing = { type: 'null' } as const

/** @param optional those of the properties that may be missing */
export function object<P extends Readonly<Record<string, JsonSchema>>>(
  properties: P,
  optional: readonly (keyof P & string)[] = [],
): JsonSchema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name))
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) }
}

export function listOf(items: JsonSchema, description?: string): JsonSchema {
  return { type: 'array', items, ...(description === undefined ? {} : { description }) }
}

export function mapOf(values: JsonSchema, description?: string): JsonSchema {
  return { type: 'object', additionalProperties: values, ...(description === undefined ? {} : { description }) }
}

export function oneOfTexts(values: readonly string[], description?: string): JsonSchema {
  return { type: 'string', enum: values, ...(description === undefined ? {} : { description }) }
}

export function orNull(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { type: 'null' }] }
}

/** Query parameters. @param required those that must be there */
export function query(properties: Readonly<Record<string, JsonSchema>>, required: readonly string[] = []): JsonSchema {
  return { type: 'object', properties, required }
}

/** The schema, with what it is about. */
export function about(description: string, schema: JsonSchema): JsonSchema {
  return { ...schema, description }
}
