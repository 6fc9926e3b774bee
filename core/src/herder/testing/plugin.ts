import { definePlugin, definePredicate, defineSink, defineSource, defineTransform } from '@tidewire/sdk'

export default definePlugin({
  name: 'test',
  version: '1.2.3',
  connectors: [
    defineSource({
      name: 'test-source',
      aliases: ['com.acme.TestSourceConnector'],
      doc: 'Reads nothing.',
      config: {
        url: { type: 'string', required: true, doc: 'Where.', group: 'Connection' },
        password: { type: 'password', doc: 'Secret.', group: 'Connection' },
        'batch.size': { type: 'int', default: 10, minimum: 1, doc: 'Records.' },
        mode: { type: 'string', enum: ['fast', 'safe'], default: 'safe', doc: 'Mode.' },
      },
      unsupported: { 'legacy.mode': 'use mode' },
      check: () => ({}),
      async *read() {
        // Nothing to read.
      },
    }),
    defineSource({
      name: 'test-exact-source',
      doc: 'Reads nothing, and never twice.',
      exactlyOnce: true,
      config: {},
      async *read() {
        // Nothing to read.
      },
    }),
    defineSink({
      name: 'test-sink',
      doc: 'Drops all.',
      config: {},
      write: () => ({ put: () => undefined }),
    }),
  ],
  transforms: [
    defineTransform({
      name: 'test-stamp',
      aliases: ['com.acme.Stamp$Value'],
      doc: 'Changes nothing.',
      config: {
        field: { type: 'string', required: true, doc: 'Which.' },
        'api.key': { type: 'password', doc: 'Secret.' },
      },
      check: () => ({}),
      create: () => ({ apply: (record) => record }),
    }),
  ],
  predicates: [
    definePredicate({
      name: 'test-is-late',
      doc: 'Never.',
      config: { 'after.ms': { type: 'long', default: 0, doc: 'When.' } },
      create: () => ({ test: () => false }),
    }),
  ],
})
