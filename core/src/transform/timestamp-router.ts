import { changed, DataError, defineConfig, defineTransform, type ConnectRecord } from '@tidewire/sdk'
import { JavaDateFormat } from '@tidewire/sdk/time'
import { kafkaNames } from './record-part.ts'
import { timestampOf } from './record-timestamp.ts'

const config = defineConfig({
  'topic.format': {
    type: 'string',
    default: '${topic}-${timestamp}',
    importance: 'high',
    doc: 'The new topic; `${topic}` stands for the old one, `${timestamp}` for the time of the record.',
  },
  'timestamp.format': {
    type: 'string',
    default: 'yyyyMMdd',
    importance: 'high',
    doc: "How the time is written: a pattern of Java's SimpleDateFormat, in UTC.",
  },
})

export const timestampRouter = defineTransform({
  name: 'timestamp-router',
  aliases: kafkaNames('TimestampRouter'),
  doc: "Puts the record's time into its topic.",
  config,
  check(settings): Record<string, string> {
    try {
      new JavaDateFormat(settings['timestamp.format'])
      return {}
    } catch (error) {
      return { 'timestamp.format': (error as Error).message }
    }
  },
  create(settings) {
    const template = settings['topic.format']
    const format = new JavaDateFormat(settings['timestamp.format'])
    // Records come in runs of the same topic and time.
    let lastTopic: string | undefined
    let lastTimestamp: number | undefined
    let routed = ''
    return {
      apply<R extends ConnectRecord>(record: R): R {
        const timestamp = timestampOf(record)
        if (timestamp === undefined) throw new DataError('TimestampRouter: the record has no timestamp')
        if (record.topic !== lastTopic || timestamp !== lastTimestamp) {
          const named = template.replaceAll('${topic}', () => record.topic)
          routed = named.replaceAll('${timestamp}', () => format.format(timestamp))
          lastTopic = record.topic
          lastTimestamp = timestamp
        }
        return changed(record, { topic: routed })
      },
    }
  },
})
