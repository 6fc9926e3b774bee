import { definePlugin } from '@tidewire/sdk'
import { exampleTransform } from './transform.ts'

export default definePlugin({ name: 'example-transform', version: '0.1.0', transforms: [exampleTransform] })
