import { definePlugin } from '@tidewire/sdk'
import { s3Sink } from './sink/sink.ts'
import { s3Source } from './source/source.ts'

export default definePlugin({
  name: 's3',
  version: '0.1.0',
  connectors: [s3Sink, s3Source],
})
