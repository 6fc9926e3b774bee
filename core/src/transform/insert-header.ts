import { changed, defineConfig, defineTransform, type ConnectRecord, type Header } from '@tidewire/sdk'
import { parseHeaderText } from '@tidewire/sdk/values'
import { kafkaNames } from './record-part.ts'

const config = defineConfig({
  header: { type: 'string', required: true, importance: 'high', doc: 'The name of the header.' },
  'value.literal': {
    type: 'string',
    required: true,
    importance: 'high',
    doc: 'Its value, of the type that the text looks like: number, boolean, date, time, [array], {map}, else text.',
  },
})

export const insertHeader = defineTransform({
  name: 'insert-header',
  aliases: kafkaNames('InsertHeader'),
  doc: 'Adds a header with the same value to each record.',
  config,
  create(settings) {
    const header: Header = { key: settings.header, ...parseHeaderText(settings['value.literal']) }
    return {
      apply: <R extends ConnectRecord>(record: R): R =>
        changed(record, { headers: record.headers === undefined ? [header] : [...record.headers, header] }),
    }
  },
})
