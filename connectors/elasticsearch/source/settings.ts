import { defineConfig, type ConfigOf, type ConfigProblems } from '@tidewire/sdk'
import { checkLink, linkSettings, unsupportedLinkSettings } from '../link/settings.ts'

const reading = defineConfig({
  'index.names': {
    type: 'list',
    default: [],
    importance: 'high',
    group: 'Indices',
    doc: 'What to read: names of indices, aliases and data streams, patterns with `*`, and with a `-` before it what to leave out again. Each index is read by itself, with a position of its own.',
  },
  'index.prefix': {
    type: 'string',
    importance: 'low',
    group: 'Indices',
    doc: 'In place of `index.names`: all whose names begin so.',
  },
  'index.poll.interval.ms': {
    type: 'int',
    default: 60_000,
    minimum: 100,
    importance: 'low',
    group: 'Indices',
    doc: 'How often to look for indices that have come or gone, such as the next one of a data stream.',
  },
  query: {
    type: 'string',
    importance: 'medium',
    group: 'Indices',
    doc: 'Only the documents that this query finds, as JSON of the query language: `{"term": {"status": "paid"}}`. Left out: all.',
  },
  'source.includes': {
    type: 'list',
    default: [],
    importance: 'low',
    group: 'Indices',
    doc: 'Only these fields of a document, by their paths, with `*` for any text.',
  },
  'source.excludes': {
    type: 'list',
    default: [],
    importance: 'low',
    group: 'Indices',
    doc: 'All fields but these.',
  },

  mode: {
    type: 'string',
    enum: ['timestamp', 'incrementing', 'bulk', 'once'],
    importance: 'high',
    group: 'Mode',
    doc: '`timestamp`: documents by the growing time of a field. `incrementing`: by a field whose value grows with each new document. `bulk`: all documents, again at each poll. `once`: all documents, once for each index. Left out: `incrementing` where `incrementing.field.name` is given, else `timestamp`.',
  },
  'timestamp.field.name': {
    type: 'string',
    default: '@timestamp',
    importance: 'high',
    group: 'Mode',
    doc: 'Mode `timestamp`: the field, of type `date`, `date_nanos`, or `long` with milliseconds since 1970. Documents without it are not read.',
  },
  'incrementing.field.name': {
    type: 'string',
    importance: 'high',
    group: 'Mode',
    doc: 'Mode `incrementing`: the field, a number, a time or a keyword. Values may repeat among documents that come within `late.documents.delay.ms`: of these none is lost. Documents without it are not read.',
  },
  'late.documents.delay.ms': {
    type: 'long',
    default: 10_000,
    minimum: 0,
    importance: 'high',
    group: 'Mode',
    doc: 'How far reading stays behind, for documents that can be seen only later than others with a greater value: longer than what lies between a document’s time and its indexing, plus the refresh interval of the index (1 s by default), plus the difference of the clocks. In mode `timestamp` documents younger than this are not read yet; in mode `incrementing` none beyond the greatest value that was there this long ago. What comes later, with a value not beyond that, need not be read.',
  },
  'timestamp.initial': {
    type: 'long',
    minimum: -1,
    importance: 'low',
    group: 'Mode',
    doc: 'Mode `timestamp`: where an index without a stored position begins, in milliseconds since 1970; -1: now. Left out: at its oldest document.',
  },

  'poll.interval.ms': {
    type: 'int',
    default: 5000,
    minimum: 0,
    group: 'Polling',
    doc: 'How often an index is asked for new documents; in mode `bulk` from the end of one reading to the beginning of the next.',
  },
  'batch.max.rows': {
    type: 'int',
    default: 1000,
    minimum: 1,
    maximum: 10_000,
    importance: 'low',
    group: 'Polling',
    doc: 'Most documents in one answer. Elasticsearch itself gives no more than 10,000 (`index.max_result_window`).',
  },
  'batch.max.bytes': {
    type: 'int',
    default: 4 * 1024 * 1024,
    minimum: 1024,
    maximum: 104_857_600,
    importance: 'low',
    group: 'Polling',
    doc: 'About how large an answer may be: how many documents are asked for follows from the size of those before.',
  },
  'pit.keep.alive.ms': {
    type: 'long',
    default: 300_000,
    minimum: 1000,
    maximum: 86_400_000,
    importance: 'low',
    group: 'Polling',
    doc: 'How long the server keeps a point in time between two answers. One that is gone is opened anew, and reading goes on where it was.',
  },

  topic: {
    type: 'string',
    default: '${index}',
    importance: 'high',
    group: 'Records',
    doc: 'The topic. `${index}` stands for the index; for one that stands behind a data stream, for the data stream.',
  },
  'topic.prefix': {
    type: 'string',
    default: '',
    group: 'Records',
    doc: 'Put before the topic.',
  },
  key: {
    type: 'string',
    enum: ['id', 'none'],
    default: 'id',
    group: 'Records',
    doc: 'The record’s key: the id of the document, or none.',
  },
  'metadata.headers': {
    type: 'list',
    default: [],
    enum: ['index', 'id', 'version', 'seq_no', 'primary_term', 'routing'],
    importance: 'low',
    group: 'Records',
    doc: 'What is known of a document besides its contents, to be put into headers `elasticsearch.index` and so on.',
  },
  'task.share': {
    type: 'string',
    pattern: '^\\d+/[1-9]\\d*$',
    importance: 'low',
    group: 'Polling',
    doc: 'Set by the connector for its tasks: which of how many.',
  },
})

export const sourceSettings = defineConfig({ ...linkSettings, ...reading })

export type ReadConfig = ConfigOf<typeof sourceSettings>

export type Mode = NonNullable<ReadConfig['mode']>

/** Of Dario Balinzo's connector, besides those of a link. */
export const unsupportedSourceSettings: Readonly<Record<string, string>> = {
  ...unsupportedLinkSettings,
  'es.host': 'use connection.url, with protocol and port',
  'es.port': 'use connection.url, with protocol and port',
  'es.scheme': 'use connection.url, with protocol and port',
  'es.user': 'use connection.username',
  'es.password': 'use connection.password',
  'es.compatibility': 'there is no need of it: requests are such as all versions take',
  'es.tls.keystore.location': 'use elastic.https.ssl.keystore.location',
  'es.tls.keystore.password': 'use elastic.https.ssl.keystore.password',
  'es.tls.truststore.location': 'use elastic.https.ssl.truststore.location',
  'es.tls.truststore.password': 'a PEM trust store has no password',
  'connection.attempts': 'what may pass by itself is tried again for as long as it takes (errors.retry.*)',
  'connection.backoff.ms': 'the pauses between attempts are the worker’s (errors.retry.*)',
  'index.expand_wildcards': 'patterns find open indices; name a hidden one with a dot before it',
  'incrementing.secondary.field.name':
    'among equal values the sequence numbers of the index decide, so that none is lost',
  'es.indices': 'the connector divides the indices among its tasks by itself',
  'filters.whitelist': 'use source.includes, with commas',
  'filters.blacklist': 'use source.excludes, with commas',
  'filters.json_cast': 'values are the documents as they are, without a schema',
  fieldname_converter: 'names of fields are as the documents have them',
}

export function modeOf(config: ReadConfig): Mode {
  return config.mode ?? (config['incrementing.field.name'] === undefined ? 'timestamp' : 'incrementing')
}

/** The field whose values grow; undefined where all documents are read. */
export function fieldOf(config: ReadConfig): string | undefined {
  switch (modeOf(config)) {
    case 'timestamp':
      return config['timestamp.field.name']
    case 'incrementing':
      return config['incrementing.field.name']
    case 'bulk':
    case 'once':
      return undefined
  }
}

/** What the server is asked for: names and patterns, those to leave out last. */
export function wantedIndices(config: ReadConfig): readonly string[] {
  const prefix = config['index.prefix']
  return prefix === undefined ? config['index.names'] : [`${prefix}*`]
}

/** Rules across settings. */
export function checkSource(config: ReadConfig): ConfigProblems {
  const problems: Record<string, string | readonly string[]> = { ...checkLink(config) }
  const { 'index.names': names, 'index.prefix': prefix } = config
  if (names.length === 0 && prefix === undefined) problems['index.names'] = 'names no index'
  if (names.length > 0 && prefix !== undefined) problems['index.prefix'] = 'stands in place of index.names'
  if (names.some((name) => /[\s,/?#<>|"\\]/.test(name))) {
    problems['index.names'] = 'has a name with a character that names of indices have not'
  } else if (names[0]?.startsWith('-')) problems['index.names'] = 'what to leave out comes after what to take'
  const mode = modeOf(config)
  if (mode === 'incrementing' && config['incrementing.field.name'] === undefined) {
    problems['incrementing.field.name'] = 'is needed in mode incrementing'
  }
  if (config['timestamp.initial'] !== undefined && mode !== 'timestamp') {
    problems['timestamp.initial'] = 'is for mode timestamp'
  }
  const query = queryProblem(config.query)
  if (query !== undefined) problems['query'] = query
  const unknown = [...config.topic.matchAll(/\$\{([^}]*)\}/g)].find(([, name]) => name !== 'index')
  if (unknown !== undefined) problems['topic'] = `${unknown[0]} is not known: there is \${index}`
  return problems
}

/** The query of the settings; its outer `query`, as a request has it, may be there. */
export function queryOf(config: ReadConfig): unknown {
  if (config.query === undefined) return undefined
  const query = JSON.parse(config.query) as Record<string, unknown>
  return query['query'] ?? query
}

function queryProblem(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  try {
    const query = JSON.parse(text) as unknown
    if (typeof query !== 'object' || query === null || Array.isArray(query)) return 'is no JSON object'
    if (!('query' in query)) return undefined
    const others = Object.keys(query).filter((name) => name !== 'query')
    return others.length === 0 ? undefined : `has ${others.join(', ')} besides the query, which the connector decides`
  } catch (error) {
    return `is no JSON: ${(error as Error).message}`
  }
}
