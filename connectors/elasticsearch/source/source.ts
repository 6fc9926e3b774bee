import { defineSource } from '@tidewire/sdk'
import { checkOffsets } from './offset.ts'
import { checkSource, sourceSettings, unsupportedSourceSettings } from './settings.ts'

export const elasticsearchSource = defineSource({
  name: 'elasticsearch-source',
  aliases: ['com.github.dariobalinzo.ElasticSourceConnector'],
  doc:
    'Documents of indices, aliases and data streams of Elasticsearch (7.10 and later, 8, 9) and OpenSearch (2.4 and later), or those ' +
    'that a query finds: all of them, or those that are new by a time or a growing field. Read from points in time, page by page, ' +
    'and gone on with after a restart just where it was.',
  config: sourceSettings,
  unsupported: unsupportedSourceSettings,
  check: checkSource,
  exactlyOnce: true,
  tryOut: async (config, context) => (await import('./try-source.ts')).trySource(config, context),
  tasks: (_config, maxTasks) =>
    maxTasks === 1 ? [{}] : Array.from({ length: maxTasks }, (_, task) => ({ 'task.share': `${task}/${maxTasks}` })),
  alterOffsets: checkOffsets,
  offsetsFrom: async (config, from, context) => (await import('./source-start.ts')).offsetsFrom(config, from, context),
  read: async (context) => (await import('./source-task.ts')).readDocuments(context),
})
