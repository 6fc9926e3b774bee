import { changed, defineConfig, defineTransform, type ConnectRecord } from '@tidewire/sdk'
import { kafkaNames } from './record-part.ts'
import { checkNames } from './settings-checks.ts'

const config = defineConfig({
  headers: { type: 'list', required: true, importance: 'high', doc: 'The names of the headers to remove.' },
})

export const dropHeaders = defineTransform({
  name: 'drop-headers',
  aliases: kafkaNames('DropHeaders'),
  doc: 'Removes headers by name.',
  config,
  check: ({ headers }) => checkNames({ headers }),
  create({ headers }) {
    const names = new Set(headers)
    return {
      apply: <R extends ConnectRecord>(record: R): R =>
        record.headers?.some(({ key }) => names.has(key)) === true
          ? changed(record, { headers: record.headers.filter(({ key }) => !names.has(key)) })
          : record,
    }
  },
})
