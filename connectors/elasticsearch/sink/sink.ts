import { defineSink } from '@tidewire/sdk'
import { checkSink } from './options.ts'
import { sinkSettings, unsupportedSinkSettings } from './settings.ts'

export const elasticsearchSink = defineSink({
  name: 'elasticsearch-sink',
  aliases: [
    'io.confluent.connect.elasticsearch.ElasticsearchSinkConnector',
    'io.aiven.connect.elasticsearch.ElasticsearchSinkConnector',
    'io.aiven.kafka.connect.opensearch.OpenSearchSinkConnector',
    'io.aiven.kafka.connect.opensearch.OpensearchSinkConnector',
  ],
  doc:
    'Writes topics to indices and data streams of Elasticsearch (7.10 and later, 8, 9) and OpenSearch: in bulks, each record ' +
    'once in effect, with upserts, deletes, and mappings from schemas. Takes the settings of Confluent’s connector.',
  config: sinkSettings,
  unsupported: unsupportedSinkSettings,
  check: checkSink,
  tryOut: async (config, context) => (await import('./try-out.ts')).tryOut(config, context),
  write: async (context) => (await import('./sink-task.ts')).openElasticsearchSink(context),
})
