import { defineSource } from '@tidewire/sdk'
import { datagenConfig } from './config.ts'

export const datagenSource = defineSource({
  name: 'datagen-source',
  aliases: ['DatagenConnector', 'io.confluent.kafka.connect.datagen.DatagenConnector'],
  doc: 'Generates realistic sensor readings, reproducible from a seed, at a set rate or as fast as possible.',
  config: datagenConfig,
  unsupported: {
    'schema.filename': 'only the readings of `quickstart` are generated, not records of an Avro schema of your own',
    'schema.string': 'only the readings of `quickstart` are generated, not records of an Avro schema of your own',
    'schema.keyfield': 'the key is always the id of the device',
    'generate.timeout': 'a reading is generated at once',
  },
  exactlyOnce: true,
  alterOffsets: async (_, offsets) => (await import('./offsets.ts')).checkCounts(offsets),
  offsetsFrom: async (config, from) => (await import('./offsets.ts')).countFrom(config, from),
  read: async (context) => (await import('./source-task.ts')).generate(context),
})
