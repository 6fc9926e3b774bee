import { expect, test } from 'vitest'
import { answerType } from './media-types.ts'

const [v1, , json] = [
  'application/vnd.schemaregistry.v1+json',
  'application/vnd.schemaregistry+json',
  'application/json',
]

test.each([
  [undefined, v1],
  ['*/*', v1],
  ['application/*', v1],
  ['application/json', json],
  ['application/json, text/plain, */*', v1],
  ['application/vnd.schemaregistry.v1+json; q=0.2, application/json; q=0.9', json],
  ['application/vnd.schemaregistry.v1+json; q=0, */*', 'application/vnd.schemaregistry+json'],
  ['text/html', undefined],
  ['text/html, */*;q=0.1', v1],
])('Accept: %s is answered as %s', (accept, type) => {
  expect(answerType(accept)).toBe(type)
})
