import { definePlugin } from '@tidewire/sdk'
import { avroConverter } from './avro/avro-converter.ts'
import { bytesConverter } from './bytes-converter.ts'
import { jsonConverter } from './json-converter.ts'
import { jsonSchemaConverter } from './json-schema/json-schema-converter.ts'
import { numberConverters } from './number-converters.ts'
import { protobufConverter } from './protobuf/protobuf-converter.ts'
import { simpleHeaderConverter } from './simple-header-converter.ts'
import { stringConverter } from './string-converter.ts'

export default definePlugin({
  name: 'tidewire-converters',
  version: '0.1.0',
  converters: [
    jsonConverter,
    avroConverter,
    jsonSchemaConverter,
    protobufConverter,
    stringConverter,
    bytesConverter,
    ...numberConverters,
    simpleHeaderConverter,
  ],
})
