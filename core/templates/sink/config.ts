import { defineConfig } from '@tidewire/sdk'

/** Declared once: from here come the check of what users give, the defaults, the types, and the tables of the docs. */
export const config = defineConfig({
  url: {
    type: 'string',
    required: true,
    importance: 'high',
    doc: 'Where the records go: each batch is POSTed there as a JSON array.',
  },
  'request.timeout.ms': {
    type: 'int',
    minimum: 1,
    default: 30_000,
    importance: 'low',
    doc: 'Longest wait for an answer, in milliseconds.',
  },
})
