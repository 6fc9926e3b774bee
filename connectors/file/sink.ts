import { defineSink } from '@tidewire/sdk'
import { sinkConfig } from './config.ts'

export const fileSink = defineSink({
  name: 'file-sink',
  aliases: ['FileStreamSink', 'FileStreamSinkConnector', 'org.apache.kafka.connect.file.FileStreamSinkConnector'],
  doc: 'Writes topics to a text file, one record a line, once each if so wished.',
  config: sinkConfig,
  tasks: () => [{}], // a file has one writer
  alterOffsets: async (config, offsets, context) =>
    (await import('./sink-offsets.ts')).alterOffsets(config, offsets, context),
  tryOut: async (config) => (await import('./try-out.ts')).tryWriting(config),
  write: async (context) => (await import('./sink-task.ts')).openFileSink(context),
})
