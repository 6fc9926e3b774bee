import { defineConfig } from '@tidewire/sdk'

/** Declared once: from here come the check of what users give, the defaults, the types, and the tables of the docs. */
export const config = defineConfig({
  url: {
    type: 'string',
    required: true,
    importance: 'high',
    doc: 'Where the items are: with ?after=<id> it answers a JSON array of those after that id, in order.',
  },
  topic: { type: 'string', required: true, importance: 'high', doc: 'The topic to write the items to.' },
  'poll.interval.ms': {
    type: 'int',
    minimum: 1,
    default: 1000,
    importance: 'low',
    doc: 'How long to wait, in milliseconds, before asking again where there was nothing new.',
  },
})
