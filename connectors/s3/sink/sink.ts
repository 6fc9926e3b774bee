import { defineSink } from '@tidewire/sdk'
import { checkSink } from './check.ts'
import { sinkSettings, unsupportedSettings } from './settings.ts'

export const s3Sink = defineSink({
  name: 's3-sink',
  aliases: ['io.confluent.connect.s3.S3SinkConnector'],
  doc:
    'Writes topics to objects of S3 and of stores that speak its protocol: JSON lines, Avro, Parquet or bytes, in folders by ' +
    'partition, field or time, each record once where the settings allow. Takes the settings of Confluent’s S3 sink, and ' +
    'gives objects its names.',
  config: sinkSettings,
  unsupported: unsupportedSettings,
  check: checkSink,
  tryOut: async (config, context) => (await import('./try-out.ts')).tryOut(config, context),
  write: async (context) => (await import('./sink-task.ts')).openS3Sink(context),
})
