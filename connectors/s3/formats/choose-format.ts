import type { AvroOptions } from '@tidewire/sdk/avro'
import { bytesFormat } from './bytes-format.ts'
import { compressionExtensions, compressor } from './compression.ts'
import { jsonFormat } from './json-format.ts'
import type { ObjectFormat, StoredPart } from './object-format.ts'
import { partReader } from './record-part.ts'
import { formatName, type FormatConfig } from './settings.ts'

/**
 * The format that the settings choose for a part of the records. A promise, since formats load what they need when they
 * are chosen.
 */
export async function objectFormat(config: FormatConfig, part: StoredPart): Promise<ObjectFormat> {
  const setting = { value: 'format.class', key: 'keys.format.class', headers: 'headers.format.class' } as const
  const name = formatName(config[setting[part]])
  const compression = config['s3.compression.type']
  const compress = compressor(compression, config['s3.compression.level'])
  switch (name) {
    case 'json': {
      const reader = partReader(part, part === 'headers')
      const decimalFormat = config['json.decimal.format'].toUpperCase() === 'NUMERIC' ? 'NUMERIC' : 'BASE64'
      const extension = `${reader.extension}.json${compressionExtensions[compression]}`
      return jsonFormat(extension, reader, decimalFormat, compress)
    }
    case 'bytes': {
      const reader = partReader(part, false)
      const extension = reader.extension + config['format.bytearray.extension'] + compressionExtensions[compression]
      const separator = Buffer.from(config['format.bytearray.separator'] ?? '\n')
      return bytesFormat(extension, separator, reader, compress)
    }
    case 'avro': {
      const { avroFormat } = await import('./avro/avro-format.ts')
      return avroFormat(partReader(part, false), config['avro.codec'], avroOptions(config))
    }
    case 'parquet': {
      const { parquetFormat } = await import('./parquet/parquet-format.ts')
      return parquetFormat(partReader(part, part !== 'value'), {
        codec: config['parquet.codec'],
        rowGroupBytes: config['parquet.row.group.bytes'],
        avro: avroOptions(config),
      })
    }
  }
}

/** As Confluent's sinks of objects set up their AvroData: what they have no setting for is off. */
function avroOptions(config: FormatConfig): AvroOptions {
  return {
    connectMetaData: config['connect.meta.data'],
    enhancedSchemas: config['enhanced.avro.schema.support'],
    optionalMapKeys: config['allow.optional.map.keys'],
    generalizedSumTypes: false,
    scrubInvalidNames: false,
    discardTypeDocDefault: false,
    flattenSingletonUnions: false,
    ignoreDefaultForNullables: false,
  }
}
