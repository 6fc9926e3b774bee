import { defineConfig, type ConfigOf, type ConfigProblems } from '@tidewire/sdk'

const formats = [
  'json',
  'avro',
  'parquet',
  'bytes',
  'io.confluent.connect.s3.format.json.JsonFormat',
  'io.confluent.connect.s3.format.avro.AvroFormat',
  'io.confluent.connect.s3.format.parquet.ParquetFormat',
  'io.confluent.connect.s3.format.bytearray.ByteArrayFormat',
] as const

/** How s3-sink writes objects; part of its settings. */
export const formatSettings = defineConfig({
  'format.class': {
    type: 'string',
    enum: formats,
    required: true,
    importance: 'high',
    group: 'Format',
    doc: 'Format of the objects: `json` (a line for each value), `avro` (object container files), `parquet`, `bytes` (values as they are, with a separator), or the class of Confluent that stands for one.',
  },
  'keys.format.class': {
    type: 'string',
    enum: formats,
    default: 'avro',
    importance: 'low',
    group: 'Format',
    doc: 'With store.kafka.keys, the format of the keys.',
  },
  'headers.format.class': {
    type: 'string',
    enum: formats,
    default: 'avro',
    importance: 'low',
    group: 'Format',
    doc: 'With store.kafka.headers, the format of the headers: any but `bytes`.',
  },
  's3.compression.type': {
    type: 'string',
    enum: ['none', 'gzip', 'zstd'],
    default: 'none',
    importance: 'low',
    group: 'Format',
    doc: 'Compression of objects of `json` and `bytes`; their names end in `.gz` or `.zst` then.',
  },
  's3.compression.level': {
    type: 'int',
    minimum: -1,
    maximum: 22,
    default: -1,
    importance: 'low',
    group: 'Format',
    doc: 'Level of s3.compression.type: 0 to 9 for gzip, 1 to 22 for zstd; -1: its own default.',
  },
  'json.decimal.format': {
    type: 'string',
    pattern: '^(?:[bB][aA][sS][eE]64|[nN][uU][mM][eE][rR][iI][cC])$',
    default: 'BASE64',
    importance: 'low',
    group: 'Format',
    doc: 'How `json` writes Decimals: BASE64 (of the unscaled value) or NUMERIC.',
  },
  'avro.codec': {
    type: 'string',
    enum: ['null', 'deflate', 'snappy', 'zstandard'],
    default: 'null',
    importance: 'low',
    group: 'Format',
    doc: 'Compression of the blocks of `avro`.',
  },
  'parquet.codec': {
    type: 'string',
    enum: ['none', 'gzip', 'snappy', 'zstd', 'brotli'],
    default: 'snappy',
    importance: 'low',
    group: 'Format',
    doc: 'Compression of the pages of `parquet`; the object’s name has it: `.snappy.parquet`.',
  },
  'parquet.row.group.bytes': {
    type: 'int',
    minimum: 65_536,
    default: 16_777_216,
    importance: 'low',
    group: 'Format',
    doc: 'About how many bytes of values a row group of `parquet` has; under memory pressure it has less.',
  },
  'format.bytearray.extension': {
    type: 'string',
    default: '.bin',
    importance: 'low',
    group: 'Format',
    doc: 'End of the names of objects of `bytes`.',
  },
  'format.bytearray.separator': {
    type: 'string',
    importance: 'low',
    group: 'Format',
    doc: 'What `bytes` writes after each value; left out, a line feed.',
  },
  'connect.meta.data': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'Format',
    doc: 'Whether schemas of `avro` and `parquet` keep what only Kafka Connect knows: names, versions, parameters, small integer types.',
  },
  'enhanced.avro.schema.support': {
    type: 'boolean',
    default: true,
    importance: 'low',
    group: 'Format',
    doc: 'Whether schemas of `avro` and `parquet` keep the enums and packages that the values were read from.',
  },
  'allow.optional.map.keys': {
    type: 'boolean',
    default: false,
    importance: 'low',
    group: 'Format',
    doc: 'Whether maps whose keys are optional strings are maps of `avro` too.',
  },
  'schemas.cache.config': {
    type: 'int',
    minimum: 0,
    default: 1000,
    importance: 'low',
    group: 'Format',
    doc: 'Taken so that configs need no change: what is kept of a schema lives as long as the schema does.',
  },
})

export type FormatConfig = ConfigOf<typeof formatSettings>

/** Values of the settings above that contradict each other, by setting. */
export function checkFormats(config: FormatConfig): ConfigProblems {
  const problems: Record<string, string> = {}
  const level = config['s3.compression.level']
  if (config['s3.compression.type'] === 'gzip' && level > 9) {
    problems['s3.compression.level'] = 'gzip has levels from 0 to 9'
  }
  if (config['s3.compression.type'] === 'zstd' && level === 0) {
    problems['s3.compression.level'] = 'zstd has levels from 1 to 22'
  }
  if (formatName(config['headers.format.class']) === 'bytes') {
    problems['headers.format.class'] =
      'headers are names with values, for which bytes has no form: json, avro or parquet'
  }
  return problems
}

export type FormatName = 'json' | 'avro' | 'parquet' | 'bytes'

/** The short name of a format that may be given by its class. */
export function formatName(given: (typeof formats)[number]): FormatName {
  if (given.endsWith('JsonFormat') || given === 'json') return 'json'
  if (given.endsWith('AvroFormat') || given === 'avro') return 'avro'
  return given.endsWith('ParquetFormat') || given === 'parquet' ? 'parquet' : 'bytes'
}
