/**
 * Writes docs/openapi.json from what the routes of core/src/rest declare, and the types of the client from it.
 *
 * `node scripts/rest-docs.ts` writes them, `--check` only tells which are stale and exits with 1.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { silentLogger } from '../core/src/logging/logger.ts'
import {
  declaredRoutes,
  openApiDocument,
  type DeclaredRoute,
  type OpenApiDocument,
  type Operation,
  type ReferringSchema,
} from '../core/src/rest/openapi.ts'
import { startRest } from '../core/src/rest/server.ts'

const root = resolve(import.meta.dirname, '..')
const documentPath = 'docs/openapi.json'
const operationsPath = 'core/src/rest-client/operations.ts'

/** Every route of a server, in the order that they were made in. */
export async function allRoutes(): Promise<DeclaredRoute[]> {
  const routes: DeclaredRoute[] = []
  const server = await startRest({
    logger: silentLogger,
    version: '',
    commit: '',
    onRoute: (route) => void routes.push(...declaredRoutes(route)),
  })
  await server.close()
  return routes
}

/** The types of ./operations.ts. */
export function describeOperations({ paths, components }: OpenApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => `${describe(method, path, operation)}\n`),
  )
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) => `${comment(schema.description)}export type ${name} = ${typeOf(schema)}\n`,
  )
  return [
    '// Made by scripts/rest-docs.ts from docs/openapi.json: npm run docs\n',
    ...schemas,
    '/** By method and path: what a call takes, and what it gives (an answer, lines or events). */',
    `export interface Operations {\n${operations.join('')}}\n`,
  ].join('\n')
}

function describe(method: string, path: string, operation: Operation): string {
  const { summary, parameters = [], requestBody, responses } = operation
  const fieldsIn = (place: 'path' | 'query'): string[] =>
    parameters
      .filter((parameter) => parameter.in === place)
      .map(({ name, required, description, schema }) => {
        return `${comment(description)}readonly ${name}${required ? '' : '?'}: ${typeOf(schema)}`
      })
  const given = (['path', 'query'] as const)
    .map((place) => [place, fieldsIn(place)] as const)
    .filter(([, fields]) => fields.length > 0)
    .map(([place, fields]) => `readonly ${place}: { ${fields.join('\n')} }`)
  const body = Object.values(requestBody?.content ?? {})[0]
  if (body !== undefined) given.push(`readonly body${requestBody!.required ? '' : '?'}: ${typeOf(body.schema)}`)
  const kinds = { 'application/json': 'answer', 'application/x-ndjson': 'line', 'text/event-stream': 'event' } as const
  const results = new Map<string, Set<string>>()
  const add = (kind: string, type: string): unknown => results.set(kind, (results.get(kind) ?? new Set()).add(type))
  for (const [status, response] of Object.entries(responses)) {
    if (!status.startsWith('2') || !('description' in response)) continue
    if (response.content === undefined) add('answer', 'undefined')
    for (const [type, { schema }] of Object.entries(response.content ?? {})) {
      const kind = kinds[type as keyof typeof kinds] as string | undefined
      if (kind !== undefined) add(kind, typeOf(schema))
    }
  }
  const result = [...results].map(([kind, types]) => `readonly ${kind}: ${[...types].join(' | ')}`)
  const fields = [...given, ...result]
  const type = fields.length === 0 ? 'object' : `{ ${fields.join('\n')} }`
  return `${comment(summary)}'${method.toUpperCase()} ${path}': ${type}`
}

function typeOf(schema: ReferringSchema): string {
  const { $ref, type, properties, required = [], items, additionalProperties, anyOf } = schema
  if ($ref !== undefined) return $ref.slice($ref.lastIndexOf('/') + 1)
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  if (anyOf !== undefined) return anyOf.map((each) => typeOf(each)).join(' | ')
  if (Array.isArray(type))
    return type.map((each: ReferringSchema['type']) => typeOf({ ...schema, type: each! })).join(' | ')
  switch (type) {
    case 'array':
      return `readonly (${items === undefined ? 'unknown' : typeOf(items)})[]`
    case 'object':
      if (properties === undefined) {
        return `Readonly<Record<string, ${additionalProperties === undefined ? 'unknown' : typeOf(additionalProperties)}>>`
      }
      if (Object.keys(properties).length === 0) return 'Readonly<Record<string, never>>'
      return `{ ${Object.entries(properties)
        .map(([name, each]) => {
          const key = /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name)
          return `${comment(each.description)}readonly ${key}${required.includes(name) ? '' : '?'}: ${typeOf(each)}`
        })
        .join('\n')} }`
    case 'integer':
    case 'number':
      return 'number'
    case 'string':
    case 'boolean':
    case 'null':
      return type
    default:
      return 'unknown'
  }
}

function comment(text: string | undefined): string {
  return text === undefined ? '' : `/** ${text.replaceAll('*/', '*\\/')} */\n`
}

/** Path and contents of each generated file. */
export async function generate(): Promise<readonly (readonly [path: string, text: string])[]> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const document = openApiDocument(await allRoutes(), version)
  const texts = [
    [documentPath, JSON.stringify(document)],
    [operationsPath, describeOperations(document)],
  ] as const
  return Promise.all(
    texts.map(async ([path, text]) => {
      const filepath = join(root, path)
      return [path, await format(text, { ...(await resolveConfig(filepath)), filepath })] as const
    }),
  )
}

async function main(check: boolean): Promise<void> {
  for (const [path, text] of await generate()) {
    if ((await readFile(join(root, path), 'utf8').catch(() => '')) === text) continue
    if (!check) {
      await writeFile(join(root, path), text)
      continue
    }
    console.error(`${path} is stale: node scripts/rest-docs.ts`)
    process.exitCode = 1
  }
}

if (import.meta.main) await main(process.argv.includes('--check'))
