import { definePlugin } from '@tidewire/sdk'
import { fileSink } from './sink.ts'
import { fileSource } from './source.ts'

export default definePlugin({ name: 'file', version: '0.1.0', connectors: [fileSource, fileSink] })
