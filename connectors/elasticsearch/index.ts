import { definePlugin } from '@tidewire/sdk'
import { elasticsearchSink } from './sink/sink.ts'
import { elasticsearchSource } from './source/source.ts'

export default definePlugin({
  name: 'elasticsearch',
  version: '0.1.0',
  connectors: [elasticsearchSink, elasticsearchSource],
})
