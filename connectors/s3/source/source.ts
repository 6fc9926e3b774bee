import { defineSource } from '@tidewire/sdk'
import { checkSource } from './check.ts'
import { sharesOf } from './object-names.ts'
import { sourceSettings, unsupportedSettings } from './settings.ts'

export const s3Source = defineSource({
  name: 's3-source',
  aliases: ['io.confluent.connect.s3.source.S3SourceConnector', 'io.aiven.kafka.connect.s3.source.S3SourceConnector'],
  doc:
    'Reads objects of an S3 bucket into topics: puts back what s3-sink wrote, with partitions and order, or reads objects of ' +
    'any names: lines of JSON, CSV, Avro, Parquet, or whole. New ones are found by listing, or by event notifications. Takes ' +
    'the settings of Confluent’s S3 source.',
  config: sourceSettings,
  unsupported: unsupportedSettings,
  check: checkSource,
  exactlyOnce: true,
  tasks: (config, maxTasks) => sharesOf(config, maxTasks),
  alterOffsets: async (config, offsets) => (await import('./offsets.ts')).checkOffsets(config, offsets),
  offsetsFrom: async (config, from, context) => (await import('./offsets.ts')).offsetsFrom(config, from, context),
  tryOut: async (config, context) => (await import('./try-out.ts')).tryReading(config, context),
  read: async (context) => (await import('./source-task.ts')).readObjects(context),
})
