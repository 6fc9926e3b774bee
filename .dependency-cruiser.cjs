// The arrows of the design: connectors → sdk ← core; inside core, downwards only. See CONTRIBUTING.md.
const layers = {
  config: [],
  logging: [],
  protocol: [],
  log: ['protocol', 'logging'],
  broker: ['log', 'protocol', 'config', 'logging'],
  client: ['protocol', 'logging'],
  cluster: ['client', 'config', 'logging'],
  schemas: ['logging'],
  'registry-client': ['config', 'logging'],
  convert: ['schemas', 'registry-client', 'config', 'logging'],
  transform: ['convert', 'config', 'registry-client'],
  plugin: ['convert', 'transform', 'config', 'logging'],
  worker: ['client', 'convert', 'transform', 'plugin', 'config', 'logging'],
  herder: ['cluster', 'worker', 'client', 'convert', 'transform', 'plugin', 'config', 'logging'],
  registry: ['rest', 'cluster', 'client', 'schemas', 'config', 'logging'],
  cli: ['client', 'rest-client', 'config', 'logging'],
  rest: ['herder', 'cluster', 'plugin', 'config', 'logging'],
  'rest-client': [],
}

const layerRules = Object.entries(layers).map(([layer, allowed]) => ({
  name: `core-${layer}`,
  comment: `core/src/${layer} may import only: ${[layer, ...allowed].join(', ')}`,
  severity: 'error',
  from: { path: `^core/src/${layer}/` },
  to: { path: '^core/src/', pathNot: `^core/src/(${[layer, ...allowed].join('|')})/` },
}))

/** Entries of the SDK beside the main one, for those who deal in these formats. */
const formatRooms = { values: [], json: ['values'], avro: ['values', 'json'], time: [] }

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true, dependencyTypesNot: ['type-only'] } },
    {
      name: 'sdk-knows-nothing',
      severity: 'error',
      from: { path: '^sdk/' },
      to: { path: '^(core|connectors|test|console)/' },
    },
    {
      name: 'sdk-has-no-dependencies',
      severity: 'error',
      from: { path: '^sdk/src', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['npm', 'npm-dev'] },
    },
    {
      name: 'sdk-main-entry-is-light',
      comment: 'what every connector loads: the formats have entries of their own',
      severity: 'error',
      from: { path: '^sdk/src/[^/]+\\.ts$', pathNot: '\\.test\\.ts$' },
      to: { path: '^sdk/src/[^/]+/', dependencyTypesNot: ['type-only'] },
    },
    ...Object.entries(formatRooms).map(([room, allowed]) => ({
      name: `sdk-${room}`,
      comment: `sdk/src/${room} may import only: ${[room, ...allowed].join(', ')} and the main entry's files`,
      severity: 'error',
      from: { path: `^sdk/src/${room}/` },
      to: { path: '^sdk/src/[^/]+/', pathNot: `^sdk/src/(${[room, ...allowed].join('|')})/` },
    })),
    {
      name: 'console-knows-the-client',
      comment: 'what a browser loads: the console, and the client of the REST API',
      severity: 'error',
      from: { path: '^console/', pathNot: '\\.test\\.ts$' },
      to: { pathNot: '^(console|core/src/rest-client)/' },
    },
    {
      name: 'core-not-connectors',
      severity: 'error',
      from: { path: '^core/' },
      to: { path: '^(connectors|test|console)/' },
    },
    {
      name: 'connectors-not-core',
      severity: 'error',
      from: { path: '^connectors/', pathNot: '\\.test\\.ts$|^connectors/[^/]+/test/' },
      to: { path: '^(core|test|console)/' },
    },
    {
      name: 'connectors-apart',
      severity: 'error',
      from: { path: '^connectors/([^/]+)/' },
      to: { path: '^connectors/', pathNot: '^connectors/$1/' },
    },
    {
      name: 'no-kafka-client-in-product',
      severity: 'error',
      from: { path: '^(sdk|core|connectors)/', pathNot: '\\.test\\.ts$|/test/' },
      to: { path: 'node_modules/(kafkajs|@platformatic/kafka)' },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...layerRules,
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
}
