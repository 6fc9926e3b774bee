import { ConfigError } from '@tidewire/sdk'
import { bytesFormat } from './bytes-format.ts'
import { compressionExtensions, compressor } from './compression.ts'
import { jsonFormat } from './json-format.ts'
import type { ObjectFormat, StoredPart } from './object-format.ts'
import { partReader } from './record-part.ts'
import { formatName, type FormatConfig } from './settings.ts'

/**
 * The format that the settings choose for a part of the records. A promise, since formats load what they need when they
 * are chosen.
 * @throws ConfigError
 */
export function objectFormat(config: FormatConfig, part: StoredPart): Promise<ObjectFormat> {
  const setting = { value: 'format.class', key: 'keys.format.class', headers: 'headers.format.class' } as const
  const name = formatName(config[setting[part]])
  const compression = config['s3.compression.type']
  const compress = compressor(compression, config['s3.compression.level'])
  switch (name) {
    case 'json': {
      const reader = partReader(part, part === 'headers')
      const decimalFormat = config['json.decimal.format'].toUpperCase() === 'NUMERIC' ? 'NUMERIC' : 'BASE64'
      return Promise.resolve(
        jsonFormat(`${reader.extension}.json${compressionExtensions[compression]}`, reader, decimalFormat, compress),
      )
    }
    case 'bytes': {
      const reader = partReader(part, false)
      const extension = reader.extension + config['format.bytearray.extension'] + compressionExtensions[compression]
      const separator = Buffer.from(config['format.bytearray.separator'] ?? '\n')
      return Promise.resolve(bytesFormat(extension, separator, reader, compress))
    }
    default:
      throw new ConfigError(`${setting[part]}: ${name} is still to come`, { setting: setting[part] })
  }
}
