import { definePlugin } from '@tidewire/sdk'
import { postgresCdc } from './cdc/source.ts'
import { postgresQuery } from './query/source.ts'
import { postgresSink } from './sink/sink.ts'

export default definePlugin({
  name: 'postgres',
  version: '0.1.0',
  connectors: [postgresCdc, postgresQuery, postgresSink],
})
