import { defineSource } from '@tidewire/sdk'
import { sourceConfig } from './config.ts'

export const fileSource = defineSource({
  name: 'file-source',
  aliases: ['FileStreamSource', 'FileStreamSourceConnector', 'org.apache.kafka.connect.file.FileStreamSourceConnector'],
  doc: 'Reads a text file line by line into a topic, and follows it as it grows.',
  config: sourceConfig,
  exactlyOnce: true,
  alterOffsets: async (_, offsets) => (await import('./source-offsets.ts')).checkOffsets(offsets),
  offsetsFrom: async (config, from) => (await import('./source-offsets.ts')).offsetsFrom(config, from),
  tryOut: async (config) => (await import('./try-out.ts')).tryReading(config),
  read: async (context) => (await import('./source-task.ts')).readLines(context),
})
