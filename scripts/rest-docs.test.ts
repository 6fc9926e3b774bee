import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openApiDocument } from '../core/src/rest/openapi.ts'
import { listOf, object, text } from '../core/src/rest/route-schema.ts'
import { allRoutes, describeOperations, generate } from './rest-docs.ts'

describe('the document', () => {
  test('and the types of the client are those that the routes declare now', async () => {
    for (const [path, expected] of await generate()) {
      const found = await readFile(resolve(import.meta.dirname, '..', path), 'utf8')
      expect(found === expected, `${path} is stale: npm run docs`).toBe(true)
    }
  })

  test('leaves out no route but those that say so', async () => {
    const routes = (await allRoutes()).filter(({ method }) => method !== 'HEAD')
    expect(routes.filter(({ schema }) => schema === undefined).map(({ method, url }) => `${method} ${url}`)).toEqual([])
    expect(routes.filter(({ schema }) => schema?.hide !== true && schema?.summary === undefined)).toEqual([])
    expect(routes.length).toBeGreaterThan(20)
  })
})

test('the document tells the role that each call needs', () => {
  const routes = ['/connectors', '/events'].map((url) => ({ method: 'GET', url, schema: {} }))
  const { paths } = openApiDocument([...routes, { method: 'PUT', url: '/connectors', schema: {} }], '1')
  expect(paths['/connectors']).toMatchObject({ get: { 'x-role': 'view' }, put: { 'x-role': 'admin' } })
  expect(paths['/events']).toMatchObject({ get: { 'x-role': 'view' } })
})

describe('a declaration', () => {
  const named = { title: 'Named', ...object({ name: text }) }
  const route = {
    method: 'PUT',
    url: '/things/:id/parts',
    schema: {
      summary: 'Parts',
      body: named,
      querystring: { properties: { deep: { type: 'boolean', description: 'All of it' } } },
      response: { 200: listOf(named), 204: { type: 'null' } },
      errors: { 409: 'Taken' },
    },
  } as const

  test('becomes an operation', () => {
    const { paths, components } = openApiDocument([route, { method: 'GET', url: '/x', schema: { hide: true } }], '1')
    const named = { $ref: '#/components/schemas/Named' }
    expect(paths).toEqual({
      '/things/{id}/parts': {
        put: {
          operationId: 'putThingsIdParts',
          summary: 'Parts',
          parameters: [
            { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
            { name: 'deep', in: 'query', required: false, description: 'All of it', schema: { type: 'boolean' } },
          ],
          requestBody: { required: true, content: { 'application/json': { schema: named } } },
          responses: {
            200: { description: 'OK', content: { 'application/json': { schema: { type: 'array', items: named } } } },
            204: { description: 'No content' },
            409: {
              description: 'Taken',
              content: { 'application/json': { schema: { $ref: '#/components/schemas/ErrorBody' } } },
            },
            default: { $ref: '#/components/responses/Error' },
          },
        },
      },
    })
    expect(components.schemas['Named']).toEqual({
      type: 'object',
      properties: { name: { type: 'string' } },
      required: ['name'],
    })
  })

  test('becomes types', () => {
    const types = describeOperations(openApiDocument([route], '1')).replace(/\s+/g, ' ')
    expect(types).toContain('export type Named = { readonly name: string }')
    expect(types).toContain(
      "'PUT /things/{id}/parts': { readonly path: { readonly id: string } readonly query: { /** All of it */ readonly deep?: boolean } " +
        'readonly body: Named readonly answer: readonly (Named)[] | undefined }',
    )
  })

  test('whose title another has is refused', () => {
    const other = { ...route, url: '/x', schema: { response: { 200: { title: 'Named', type: 'string' } } } } as const
    expect(() => openApiDocument([route, other], '1')).toThrow('two schemas have the title Named')
  })
})
