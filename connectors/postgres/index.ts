import { definePlugin } from '@tidewire/sdk'
import { postgresCdc } from './cdc/source.ts'

export default definePlugin({ name: 'postgres', version: '0.1.0', connectors: [postgresCdc] })
