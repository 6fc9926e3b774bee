import { definePlugin } from '@tidewire/sdk'
import { exampleSink } from './sink.ts'

export default definePlugin({ name: 'example-sink', version: '0.1.0', connectors: [exampleSink] })
