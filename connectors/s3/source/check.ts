import type { ConfigProblems } from '@tidewire/sdk'
import { checkLink } from '../link/settings.ts'
import { checkNames } from './object-names.ts'
import { readPrefix, type S3SourceConfig } from './settings.ts'

/** Rules across settings. */
export function checkSource(config: S3SourceConfig): ConfigProblems {
  const problems: Record<string, string | readonly string[]> = { ...checkLink(config), ...checkNames(config) }
  const generic = config.mode === 'GENERIC'
  if (config['record.key'] === 'field' && (config['record.key.field'] ?? '') === '') {
    problems['record.key.field'] = 'names the field, with record.key=field'
  }
  if (!generic && config['record.key'] !== 'none') {
    problems['record.key'] =
      'belongs to mode=GENERIC: restored records have the keys that were stored (store.kafka.keys)'
  }
  if (!generic && config['sqs.queue.url'] !== undefined) {
    problems['sqs.queue.url'] = 'belongs to mode=GENERIC: the order of offsets is not that of notifications'
  }
  if (!generic && config['listing.order'] !== 'lexicographic') {
    problems['listing.order'] = 'belongs to mode=GENERIC: what is restored is read in order of its offsets'
  }
  if (generic && (config['store.kafka.keys'] || config['store.kafka.headers'])) {
    problems['store.kafka.keys'] = 'belongs to mode=RESTORE_BACKUP, as store.kafka.headers does'
  }
  if (config['after.reading'] === 'move') {
    const target = config['after.reading.move.prefix'] ?? ''
    const sameBucket = (config['after.reading.move.bucket'] ?? config['s3.bucket.name']) === config['s3.bucket.name']
    if (sameBucket && target === '') problems['after.reading.move.prefix'] = 'says where to, with after.reading=move'
    else if (sameBucket && target.startsWith(readPrefix(config))) {
      problems['after.reading.move.prefix'] =
        `lies in what is read (${readPrefix(config)}…), where moved objects would be found again`
    }
  }
  return problems
}
