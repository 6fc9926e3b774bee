import { definePlugin } from '@tidewire/sdk'
import { exampleSource } from './source.ts'

export default definePlugin({ name: 'example-source', version: '0.1.0', connectors: [exampleSource] })
