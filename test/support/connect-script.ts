/**
 * One script of REST calls, good and bad ones, that any worker with Kafka Connect's API can be put through. `@` stands
 * for what is the worker's own, so that two can be asked side by side on one log: the names of its connectors and topics.
 */

/** What the files hold that its sources read: `@folder/in.txt`. */
export const inputText = 'one\ntwo\nthree\n'

export interface Step {
  /** Unique; differences are listed by it. */
  readonly name: string
  /** Method and path: `GET /connectors`. */
  readonly call: string
  /** Sent as JSON; a text as it stands. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** The call is made again until its answer is so; what had to come is then a matter of time, not of the API. */
  readonly until?: (body: never, status: number) => boolean
  /** Fields that are not compared: whether they are as they are is a matter of time. */
  readonly ignores?: readonly string[]
}

type Config = Readonly<Record<string, unknown>>

interface Status {
  readonly connector: { readonly state: string }
  readonly tasks: readonly { readonly state: string }[]
}

const source = 'org.apache.kafka.connect.file.FileStreamSourceConnector'
const sink = 'org.apache.kafka.connect.file.FileStreamSinkConnector'

const sourceConfig: Config = {
  'connector.class': source,
  'tasks.max': '1',
  file: '@folder/in.txt',
  topic: '@lines',
  'topic.creation.default.partitions': '1',
  'topic.creation.default.replication.factor': '1',
}
const sinkConfig: Config = { 'connector.class': sink, topics: '@lines', file: '@folder/out.txt' }

const json = { 'content-type': 'application/json' }

/** Until the connector and so many tasks are in this state. */
const inState = (state: string, tasks: number) => (status: Status, code: number) =>
  code === 200 &&
  status.connector.state === state &&
  status.tasks.length === tasks &&
  status.tasks.every((task) => task.state === state)

const isPaused = ({ connector }: Status, code: number) => code === 200 && connector.state === 'PAUSED'

const get = (name: string, path: string, more: Partial<Step> = {}): Step => ({ name, call: `GET ${path}`, ...more })
const put = (name: string, path: string, body?: unknown): Step => ({ name, call: `PUT ${path}`, body })
const post = (name: string, path: string, body?: unknown): Step => ({ name, call: `POST ${path}`, body })
const patch = (name: string, path: string, body?: unknown): Step => ({ name, call: `PATCH ${path}`, body })
const remove = (name: string, path: string): Step => ({ name, call: `DELETE ${path}` })

const create = (name: string, config: unknown): Step => post(name, '/connectors', config)

const worker: readonly Step[] = [
  get('root', '/'),
  get('health', '/health'),
  get('unknown path', '/nothing'),
  get('no connectors', '/connectors'),
  get('no connectors, expanded', '/connectors?expand=status&expand=info'),
  { name: 'a method that a path lacks', call: 'DELETE /connectors' },
  { name: 'a method that a connector lacks', call: 'POST /connectors/@lines' },
]

/** Requests to create a connector that are refused. */
const refusedCreations: readonly Step[] = [
  create('create: malformed JSON', '{"name": "@lines", "config"'),
  create('create: an array', []),
  create('create: a text', '"text"'),
  create('create: nothing in it', {}),
  create('create: no config', { name: '@lines' }),
  create('create: config is null', { name: '@lines', config: null }),
  create('create: config is a text', { name: '@lines', config: 'text' }),
  create('create: unknown field', { name: '@lines', config: sourceConfig, other: 1 }),
  { ...create('create: not declared as JSON', { name: '@lines' }), headers: { 'content-type': 'text/plain' } },
  create('create: no connector.class', { name: '@lines', config: { file: 'a', topic: 'b' } }),
  create('create: unknown connector.class', { name: '@lines', config: { ...sourceConfig, 'connector.class': 'No' } }),
  create('create: a required setting is missing', {
    name: '@lines',
    config: { 'connector.class': source, file: '@folder/in.txt' },
  }),
  create('create: tasks.max is no number', { name: '@lines', config: { ...sourceConfig, 'tasks.max': 'many' } }),
  create('create: tasks.max is too small', { name: '@lines', config: { ...sourceConfig, 'tasks.max': '0' } }),
  create('create: several settings are wrong', {
    name: '@lines',
    config: { 'connector.class': source, 'tasks.max': '-1', 'errors.tolerance': 'some' },
  }),
  create('create: unknown converter', { name: '@lines', config: { ...sourceConfig, 'value.converter': 'No' } }),
  create('create: a value is null', { name: '@null', config: { ...sourceConfig, file: null } }),
  remove('delete: what a null has made', '/connectors/@null'),
  create('create: a value is an object', { name: '@lines', config: { ...sourceConfig, file: {} } }),
  create('create: a value is an array', { name: '@lines', config: { ...sourceConfig, file: ['a'] } }),
  create('create: another name in the config', { name: '@lines', config: { ...sourceConfig, name: '@other' } }),
  create('create: empty name', { name: ' ', config: sourceConfig }),
  create('create: control character in the name', { name: '@a\u0007b', config: sourceConfig }),
  create('create: unknown initial_state', { name: '@lines', config: sourceConfig, initial_state: 'AWAY' }),
  create('create: sink without topics', { name: '@out', config: { 'connector.class': sink, file: '@folder/out.txt' } }),
  create('create: sink with topics and topics.regex', {
    name: '@out',
    config: { ...sinkConfig, 'topics.regex': '@.*' },
  }),
  create('create: dead letter topic that is read', {
    name: '@out',
    config: { ...sinkConfig, 'errors.deadletterqueue.topic.name': '@lines' },
  }),
]

const running: readonly Step[] = [
  create('create', { name: '@lines', config: { ...sourceConfig, 'tasks.max': 1 } }),
  create('create again', { name: '@lines', config: sourceConfig }),
  get('status, running', '/connectors/@lines/status', { until: inState('RUNNING', 1) }),
  get('connector', '/connectors/@lines'),
  get('connector, trailing slash', '/connectors/@lines/'),
  get('connectors', '/connectors'),
  get('connectors, expand=status', '/connectors?expand=status'),
  get('connectors, expand=info', '/connectors?expand=info'),
  get('connectors, expand=both', '/connectors?expand=info&expand=status'),
  get('connectors, expand=unknown', '/connectors?expand=all'),
  get('config', '/connectors/@lines/config'),
  get('tasks', '/connectors/@lines/tasks'),
  get('task status', '/connectors/@lines/tasks/0/status'),
  get('task status, no such task', '/connectors/@lines/tasks/7/status'),
  get('task status, no number', '/connectors/@lines/tasks/first/status'),
  get('task status, negative', '/connectors/@lines/tasks/-1/status'),
  get('tasks-config', '/connectors/@lines/tasks-config'),
  put('put config, same', '/connectors/@lines/config', sourceConfig),
  put('put config, changed', '/connectors/@lines/config', { ...sourceConfig, 'batch.size': '100' }),
  put('put config, true and a number', '/connectors/@lines/config', { ...sourceConfig, 'tasks.max': 1, other: true }),
  put('put config, another name', '/connectors/@lines/config', { ...sourceConfig, name: '@other' }),
  put('put config, wrong', '/connectors/@lines/config', { ...sourceConfig, 'tasks.max': 'many' }),
  put('put config, null', '/connectors/@lines/config', 'null'),
  put('put config, no body', '/connectors/@lines/config'),
  put('put config, malformed JSON', '/connectors/@lines/config', '{'),
  patch('patch config', '/connectors/@lines/config', { 'batch.size': '50', other: null }),
  patch('patch config, nothing', '/connectors/@lines/config', {}),
  patch('patch config, wrong', '/connectors/@lines/config', { 'tasks.max': 'many' }),
  patch('patch config, required setting removed', '/connectors/@lines/config', { topic: null }),
  patch('patch config, an array', '/connectors/@lines/config', []),
  patch('patch config, null', '/connectors/@lines/config', 'null'),
  patch('patch config, malformed JSON', '/connectors/@lines/config', '{"a": nothing}'),
  get('config, patched', '/connectors/@lines/config'),
  patch('patch config, another name', '/connectors/@lines/config', { name: '@other' }),
  put('put config, name as before', '/connectors/@lines/config', { ...sourceConfig, 'batch.size': '50' }),
  get('status, running after the changes', '/connectors/@lines/status', { until: inState('RUNNING', 1) }),
]

const restarts: readonly Step[] = [
  post('restart', '/connectors/@lines/restart'),
  get('status, running after restart', '/connectors/@lines/status', { until: inState('RUNNING', 1) }),
  post('restart, onlyFailed', '/connectors/@lines/restart?onlyFailed=true'),
  post('restart, includeTasks and onlyFailed', '/connectors/@lines/restart?includeTasks=true&onlyFailed=true'),
  post('restart, includeTasks', '/connectors/@lines/restart?includeTasks=true'),
  get('status, running after restart with tasks', '/connectors/@lines/status', { until: inState('RUNNING', 1) }),
  post('restart, both false', '/connectors/@lines/restart?includeTasks=false&onlyFailed=false'),
  post('restart, includeTasks is no boolean', '/connectors/@lines/restart?includeTasks=perhaps'),
  { ...post('restart, empty body declared as a form', '/connectors/@lines/restart', ''), headers: form() },
  get('status, running before the task restarts', '/connectors/@lines/status', { until: inState('RUNNING', 1) }),
  post('restart task', '/connectors/@lines/tasks/0/restart'),
  post('restart task, no such task', '/connectors/@lines/tasks/7/restart'),
  post('restart task, no number', '/connectors/@lines/tasks/first/restart'),
  get('status, running after task restart', '/connectors/@lines/status', { until: inState('RUNNING', 1) }),
]

const states: readonly Step[] = [
  put('pause', '/connectors/@lines/pause'),
  get('status, paused', '/connectors/@lines/status', { until: inState('PAUSED', 1) }),
  put('pause again', '/connectors/@lines/pause'),
  put('resume', '/connectors/@lines/resume'),
  get('status, resumed', '/connectors/@lines/status', { until: inState('RUNNING', 1) }),
  put('put config of a running connector, PAUSED stays away', '/connectors/@lines/config', sourceConfig),
  create('create paused', {
    name: '@paused',
    config: { ...sourceConfig, topic: '@paused' },
    initial_state: 'paused',
  }),
  get('status, created paused', '/connectors/@paused/status', { until: isPaused, ignores: ['body.tasks'] }),
  get('created paused', '/connectors/@paused'),
  create('create stopped', {
    name: '@stopped',
    config: { ...sourceConfig, topic: '@stopped' },
    initial_state: 'STOPPED',
  }),
  get('status, created stopped', '/connectors/@stopped/status', { until: inState('STOPPED', 0) }),
  get('tasks, created stopped', '/connectors/@stopped/tasks'),
  post('restart, stopped', '/connectors/@stopped/restart'),
  post('restart with tasks, stopped', '/connectors/@stopped/restart?includeTasks=true'),
  put('stop', '/connectors/@paused/stop'),
  get('status, stopped', '/connectors/@paused/status', { until: inState('STOPPED', 0) }),
  put('stop again', '/connectors/@paused/stop'),
  put('resume, stopped', '/connectors/@paused/resume'),
  get('status, resumed after stop', '/connectors/@paused/status', { until: inState('RUNNING', 1) }),
  remove('delete', '/connectors/@paused'),
  get('deleted', '/connectors/@paused'),
  get('status, deleted', '/connectors/@paused/status', { until: (_, code) => code === 404 }),
  put('put config, new', '/connectors/@put%20new/config', { ...sourceConfig, topic: '@new' }),
  get('connector, space in its name', '/connectors/@put%20new', { until: hasTasks }),
  remove('delete, space in its name', '/connectors/@put%20new'),
]

const sinks: readonly Step[] = [
  create('create sink', { name: '@out', config: sinkConfig }),
  get('status of a sink, running', '/connectors/@out/status', { until: inState('RUNNING', 1) }),
  get('sink', '/connectors/@out'),
  get('sink tasks', '/connectors/@out/tasks'),
]

const topics: readonly Step[] = [
  get('topics of a source', '/connectors/@lines/topics', { until: hasTopic('@lines') }),
  get('topics of a sink', '/connectors/@out/topics', { until: hasTopic('@out') }),
  get('topics, stopped from the start', '/connectors/@stopped/topics'),
  get('topics, unknown connector', '/connectors/@none/topics'),
  put('topics reset', '/connectors/@out/topics/reset'),
  get('topics after reset', '/connectors/@out/topics', { until: hasNoTopic('@out') }),
  put('topics reset, unknown connector', '/connectors/@none/topics/reset'),
  post('topics reset, wrong method', '/connectors/@out/topics/reset'),
]

const unknownConnector: readonly Step[] = [
  ...['', '/config', '/status', '/tasks', '/tasks/0/status', '/offsets', '/tasks-config'].map((path) =>
    get(`unknown connector: get ${path}`, `/connectors/@none${path}`),
  ),
  ...['pause', 'resume', 'stop'].map((path) => put(`unknown connector: ${path}`, `/connectors/@none/${path}`)),
  ...['restart', 'restart?includeTasks=true', 'tasks/0/restart'].map((path) =>
    post(`unknown connector: ${path}`, `/connectors/@none/${path}`),
  ),
  patch('unknown connector: patch config', '/connectors/@none/config', { a: 'b' }),
  remove('unknown connector: delete', '/connectors/@none'),
  get('unknown connector: subpath', '/connectors/@none/nothing'),
]

const offset = (value: unknown) => ({ offsets: [value] })
const sourceOffset = (position: unknown) =>
  offset({ partition: { filename: '@folder/in.txt' }, offset: position === null ? null : { position } })
const sinkOffset = (kafkaOffset: unknown, partition: unknown = 0) =>
  offset({
    partition: { kafka_topic: '@lines', kafka_partition: partition },
    offset: kafkaOffset === null ? null : { kafka_offset: kafkaOffset },
  })

const offsets: readonly Step[] = [
  get('offsets of a source', '/connectors/@lines/offsets', { until: hasOffset({ position: 14 }) }),
  get('offsets of a sink', '/connectors/@out/offsets', { until: hasOffset({ kafka_offset: 3 }) }),
  get('offsets, none', '/connectors/@stopped/offsets'),
  patch('alter offsets, running', '/connectors/@lines/offsets', sourceOffset(0)),
  remove('reset offsets, running', '/connectors/@lines/offsets'),
  put('stop the source', '/connectors/@lines/stop'),
  put('stop the sink', '/connectors/@out/stop'),
  get('status, source stopped', '/connectors/@lines/status', { until: inState('STOPPED', 0) }),
  get('status, sink stopped', '/connectors/@out/status', { until: inState('STOPPED', 0) }),
  patch('alter offsets, no body', '/connectors/@lines/offsets'),
  patch('alter offsets, malformed JSON', '/connectors/@lines/offsets', '{"offsets": ['),
  patch('alter offsets, empty object', '/connectors/@lines/offsets', {}),
  patch('alter offsets, empty list', '/connectors/@lines/offsets', { offsets: [] }),
  patch('alter offsets, null', '/connectors/@lines/offsets', { offsets: null }),
  patch('alter offsets, not a list', '/connectors/@lines/offsets', { offsets: {} }),
  patch('alter offsets, no partition', '/connectors/@lines/offsets', offset({ offset: { position: 1 } })),
  patch('alter source offsets, unknown partition', '/connectors/@lines/offsets', {
    offsets: [{ partition: { other: 'a' }, offset: { position: 1 } }],
  }),
  patch('alter source offsets, not a number', '/connectors/@lines/offsets', sourceOffset('far')),
  patch('alter source offsets, negative', '/connectors/@lines/offsets', sourceOffset(-1)),
  patch('alter source offsets', '/connectors/@lines/offsets', sourceOffset(4)),
  get('offsets of a source, altered', '/connectors/@lines/offsets'),
  patch('alter source offsets, null', '/connectors/@lines/offsets', sourceOffset(null)),
  get('offsets of a source, reset by null', '/connectors/@lines/offsets'),
  patch('alter source offsets again', '/connectors/@lines/offsets', sourceOffset(2)),
  remove('reset source offsets', '/connectors/@lines/offsets'),
  get('offsets of a source, reset', '/connectors/@lines/offsets'),
  remove('reset source offsets again', '/connectors/@lines/offsets'),
  patch('alter sink offsets, no topic', '/connectors/@out/offsets', {
    offsets: [{ partition: { kafka_partition: 0 }, offset: { kafka_offset: 1 } }],
  }),
  patch('alter sink offsets, no partition', '/connectors/@out/offsets', {
    offsets: [{ partition: { kafka_topic: '@lines' }, offset: { kafka_offset: 1 } }],
  }),
  patch('alter sink offsets, partition is no number', '/connectors/@out/offsets', sinkOffset(1, 'first')),
  patch('alter sink offsets, offset is no number', '/connectors/@out/offsets', sinkOffset('far')),
  patch('alter sink offsets, negative', '/connectors/@out/offsets', sinkOffset(-1)),
  patch('alter sink offsets, no kafka_offset', '/connectors/@out/offsets', {
    offsets: [{ partition: { kafka_topic: '@lines', kafka_partition: 0 }, offset: { position: 1 } }],
  }),
  patch('alter sink offsets, numbers as text', '/connectors/@out/offsets', sinkOffset('2', '0')),
  get('offsets of a sink, altered', '/connectors/@out/offsets'),
  patch('alter sink offsets, null', '/connectors/@out/offsets', sinkOffset(null)),
  get('offsets of a sink, reset by null', '/connectors/@out/offsets'),
  patch('alter sink offsets, no such partition', '/connectors/@out/offsets', sinkOffset(1, 7)),
  patch('alter sink offsets again', '/connectors/@out/offsets', sinkOffset(1)),
  remove('reset sink offsets', '/connectors/@out/offsets'),
  get('offsets of a sink, reset', '/connectors/@out/offsets'),
  remove('reset sink offsets again', '/connectors/@out/offsets'),
  patch('alter offsets, unknown connector', '/connectors/@none/offsets', sourceOffset(1)),
  remove('reset offsets, unknown connector', '/connectors/@none/offsets'),
]

const transforms = {
  transforms: 'stamp,away',
  'transforms.stamp.type': 'org.apache.kafka.connect.transforms.InsertField$Value',
  'transforms.stamp.static.field': 'by',
  'transforms.stamp.static.value': 'us',
  'transforms.away.type': 'org.apache.kafka.connect.transforms.RegexRouter',
  'transforms.away.regex': 'a(.*)',
  'transforms.away.replacement': 'b$1',
  'transforms.away.predicate': 'empty',
  'transforms.away.negate': 'true',
  predicates: 'empty',
  'predicates.empty.type': 'org.apache.kafka.connect.transforms.predicates.RecordIsTombstone',
}

const validate = (name: string, plugin: string, config: unknown): Step =>
  put(name, `/connector-plugins/${plugin}/config/validate`, config)

const plugins: readonly Step[] = [
  get('plugins', '/connector-plugins'),
  get('plugins, all', '/connector-plugins?connectorsOnly=false'),
  get('plugins, connectorsOnly is no boolean', '/connector-plugins?connectorsOnly=perhaps'),
  get('settings of a source', `/connector-plugins/${source}/config`),
  get('settings of a sink, simple name', '/connector-plugins/FileStreamSinkConnector/config'),
  get('settings of a sink, short name', '/connector-plugins/FileStreamSink/config'),
  get('settings of a converter', '/connector-plugins/org.apache.kafka.connect.json.JsonConverter/config'),
  get(
    'settings of a converter without any',
    '/connector-plugins/org.apache.kafka.connect.converters.LongConverter/config',
  ),
  get('settings, unknown plugin', '/connector-plugins/No/config'),
  get('settings, unknown version', `/connector-plugins/${source}/config?version=99.0`),
  validate('validate a source', source, { name: '@lines', ...sourceConfig }),
  validate('validate, simple name', 'FileStreamSourceConnector', { name: '@lines', ...sourceConfig }),
  validate('validate, short name', 'FileStreamSource', { name: '@lines', ...sourceConfig }),
  validate('validate a sink', sink, { name: '@out', ...sinkConfig }),
  validate('validate, nothing given', source, { 'connector.class': source }),
  validate('validate, several settings wrong', source, {
    'connector.class': source,
    name: '@lines',
    'tasks.max': 'many',
    'errors.tolerance': 'some',
    'batch.size': '-3',
  }),
  validate('validate, unknown setting', source, { name: '@lines', ...sourceConfig, 'no.such.setting': 'x' }),
  validate('validate, converter settings', source, {
    name: '@lines',
    ...sourceConfig,
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter.schemas.enable': 'perhaps',
  }),
  validate('validate, transforms and predicates', source, { name: '@lines', ...sourceConfig, ...transforms }),
  validate('validate, transforms: negate without a predicate', source, {
    name: '@lines',
    ...sourceConfig,
    ...transforms,
    'transforms.stamp.negate': 'true',
  }),
  validate('validate, transforms: an alias twice', source, {
    name: '@lines',
    ...sourceConfig,
    ...transforms,
    transforms: 'stamp,stamp',
  }),
  validate('validate, transforms: no type', source, { name: '@lines', ...sourceConfig, transforms: 'stamp' }),
  validate('validate, transforms: no such type', source, {
    name: '@lines',
    ...sourceConfig,
    ...transforms,
    'transforms.stamp.type': 'org.apache.kafka.connect.transforms.No',
  }),
  validate('validate, transforms: a setting is missing', source, {
    name: '@lines',
    ...sourceConfig,
    transforms: 'cast',
    'transforms.cast.type': 'org.apache.kafka.connect.transforms.Cast$Value',
  }),
  validate('validate, no connector.class', source, { file: 'a', topic: 'b' }),
  validate('validate, another connector.class', source, { ...sinkConfig, name: '@out' }),
  validate('validate, unknown plugin', 'No', { ...sourceConfig, name: '@lines' }),
  validate('validate, unknown connector.class', 'No', { ...sourceConfig, name: '@lines', 'connector.class': 'No' }),
  validate('validate, malformed JSON', source, '{]'),
  validate('validate, null', source, 'null'),
  validate('validate, a value is null', source, { name: '@lines', ...sourceConfig, file: null }),
]

const loggers: readonly Step[] = [
  get('loggers', '/admin/loggers'),
  get('root logger', '/admin/loggers/root'),
  get('root logger, upper case', '/admin/loggers/ROOT'),
  get('unknown logger', '/admin/loggers/no.such.logger'),
  put('set a level', '/admin/loggers/contract.first', { level: 'DEBUG' }),
  get('a level that was set', '/admin/loggers/contract.first'),
  put('set the level of a child', '/admin/loggers/contract.first.child', { level: 'WARN' }),
  put('set a level, lower case', '/admin/loggers/contract.first', { level: 'error' }),
  get('the level of the child', '/admin/loggers/contract.first.child'),
  put('set the same level again', '/admin/loggers/contract.first', { level: 'ERROR' }),
  get('a level that was not set', '/admin/loggers/contract'),
  ...['TRACE', 'FATAL', 'OFF', 'ALL'].flatMap((level) => [
    put(`set level ${level}`, '/admin/loggers/contract.levels', { level }),
    get(`level ${level}`, '/admin/loggers/contract.levels'),
  ]),
  put('set an unknown level', '/admin/loggers/contract.first', { level: 'LOUD' }),
  put('set a level, none given', '/admin/loggers/contract.first', {}),
  put('set a level, null', '/admin/loggers/contract.first', { level: null }),
  put('set a level, a number', '/admin/loggers/contract.first', { level: 3 }),
  put('set a level, more fields', '/admin/loggers/contract.first', { level: 'INFO', other: 'x' }),
  put('set a level, no body', '/admin/loggers/contract.first'),
  put('set a level, malformed JSON', '/admin/loggers/contract.first', '{'),
  put('set a level, scope=worker', '/admin/loggers/contract.first?scope=worker', { level: 'WARN' }),
  put('set a level, unknown scope', '/admin/loggers/contract.first?scope=galaxy', { level: 'INFO' }),
  put('set a level, scope=cluster', '/admin/loggers/contract.cluster?scope=cluster', { level: 'DEBUG' }),
  get('a level set for the cluster', '/admin/loggers/contract.cluster', { until: (_, status) => status === 200 }),
  put('set an unknown level, scope=cluster', '/admin/loggers/contract.cluster?scope=cluster', { level: 'LOUD' }),
  remove('delete a logger', '/admin/loggers/contract.first'),
]

const end: readonly Step[] = [
  ...['@lines', '@out', '@stopped'].map((name) => remove(`delete ${name}`, `/connectors/${name}`)),
  remove('delete again', '/connectors/@lines'),
  get('connectors, all deleted', '/connectors', { until: (names: readonly string[]) => names.length === 0 }),
  get('topics, deleted', '/connectors/@lines/topics', { until: hasNoTopic('@lines') }),
]

export const script: readonly Step[] = [
  ...worker,
  ...refusedCreations,
  ...running,
  ...restarts,
  ...states,
  ...sinks,
  ...topics,
  ...unknownConnector,
  ...offsets,
  ...plugins,
  ...loggers,
  ...end,
]

function form(): Readonly<Record<string, string>> {
  return { ...json, 'content-type': 'application/x-www-form-urlencoded' }
}

function hasTasks(info: { readonly tasks: readonly unknown[] }, status: number): boolean {
  return status === 200 && info.tasks.length > 0
}

type ActiveTopics = Readonly<Record<string, { readonly topics: readonly string[] }>>

function hasTopic(connector: string) {
  return (body: ActiveTopics): boolean => (body[connector]?.topics.length ?? 0) > 0
}

function hasNoTopic(connector: string) {
  return (body: ActiveTopics): boolean => body[connector]?.topics.length === 0
}

function hasOffset(offset: unknown) {
  return ({ offsets }: { readonly offsets: readonly { readonly offset: unknown }[] }, status: number): boolean =>
    status === 200 && JSON.stringify(offsets[0]?.offset) === JSON.stringify(offset)
}
