import { defineConfig, defineTransform } from '@tidewire/sdk'
import { kafkaNames } from './record-part.ts'

export const filter = defineTransform({
  name: 'filter',
  aliases: kafkaNames('Filter'),
  doc: 'Drops every record that it is applied to: give it a predicate.',
  config: defineConfig({}),
  create: () => ({ apply: () => null }),
})
