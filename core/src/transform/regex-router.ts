import { changed, defineConfig, defineTransform, type ConnectRecord } from '@tidewire/sdk'
import { JavaRegex } from './java-regex.ts'
import { kafkaNames } from './record-part.ts'
import { memoByTopic } from './topic-memo.ts'

const config = defineConfig({
  regex: {
    type: 'string',
    required: true,
    importance: 'high',
    doc: "What the whole topic must match for the record to get another: a regular expression in Java's syntax.",
  },
  replacement: {
    type: 'string',
    required: true,
    importance: 'high',
    doc: 'What stands for the first match in the new topic; `$1` and `${name}` stand for groups.',
  },
})

export const regexRouter = defineTransform({
  name: 'regex-router',
  aliases: kafkaNames('RegexRouter'),
  doc: 'Renames topics by a regular expression.',
  config,
  check({ regex, replacement }): Record<string, string> {
    let setting = 'regex'
    try {
      const compiled = new JavaRegex(regex)
      setting = 'replacement'
      compiled.replacement(replacement)
      return {}
    } catch (error) {
      return { [setting]: (error as Error).message }
    }
  },
  create(settings) {
    const regex = new JavaRegex(settings.regex)
    const replacement = regex.replacement(settings.replacement)
    const routed = memoByTopic((topic) => (regex.matches(topic) ? regex.replaceFirst(topic, replacement) : topic))
    return {
      apply<R extends ConnectRecord>(record: R): R {
        const topic = routed(record.topic)
        return topic === record.topic ? record : changed(record, { topic })
      },
    }
  },
})
