import { defineConfig } from '@tidewire/sdk'

/** Declared once: from here come the check of what users give, the defaults, the types, and the tables of the docs. */
export const config = defineConfig({
  field: {
    type: 'string',
    required: true,
    importance: 'high',
    doc: 'The field of the value that holds a number.',
  },
  factor: {
    type: 'double',
    default: 1,
    doc: 'What the number is multiplied by.',
  },
})
