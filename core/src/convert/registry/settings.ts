/** The settings that the converters with a schema registry share: the names, defaults and results of Confluent's. */
import { ConfigError, defineConfig, type ConfigOf } from '@tidewire/sdk'
import { authorizationOf, registryClientSettings, registryUrls } from '../../registry-client/settings.ts'

const topicName = 'io.confluent.kafka.serializers.subject.TopicNameStrategy'

export const registryConverterSettings = defineConfig({
  ...registryClientSettings,
  'auto.register.schemas': {
    type: 'boolean',
    default: true,
    doc: 'Whether a schema that the registry does not have is registered; otherwise it must be there.',
  },
  'use.latest.version': {
    type: 'boolean',
    default: false,
    importance: 'low',
    doc: 'With auto.register.schemas=false: write with the latest version of the subject, whatever the schema of the record.',
  },
  'latest.compatibility.strict': {
    type: 'boolean',
    default: true,
    importance: 'low',
    doc: 'With use.latest.version: whether the latest version must be able to read what the schema of the record describes.',
  },
  'use.schema.id': {
    type: 'int',
    default: -1,
    importance: 'low',
    doc: 'With auto.register.schemas=false: write with the schema of this id.',
  },
  'id.compatibility.strict': {
    type: 'boolean',
    default: true,
    importance: 'low',
    doc: 'With use.schema.id: as latest.compatibility.strict.',
  },
  'normalize.schemas': {
    type: 'boolean',
    default: false,
    doc: 'Whether the registry normalises a schema before it looks it up or registers it.',
  },
  'key.subject.name.strategy': {
    type: 'class',
    default: topicName,
    doc: 'Subject of a key: TopicNameStrategy (<topic>-key), RecordNameStrategy, TopicRecordNameStrategy; the full class names too.',
  },
  'value.subject.name.strategy': {
    type: 'class',
    default: topicName,
    doc: 'Subject of a value: TopicNameStrategy (<topic>-value), RecordNameStrategy, TopicRecordNameStrategy; the full class names too.',
  },
  'schemas.cache.config': {
    type: 'int',
    default: 1_000,
    minimum: 1,
    importance: 'low',
    doc: 'How many compiled schemas are kept, in each direction; the oldest goes first.',
  },
})

export type RegistryConverterConfig = ConfigOf<typeof registryConverterSettings>

/** Under which subject a schema of this topic and record name is. @throws DataError where it needs a name and there is none */
export type SubjectOf = (topic: string, recordName: () => string) => string

/** @throws ConfigError for a strategy that is not built in */
export function subjectStrategy(config: RegistryConverterConfig, use: 'key' | 'value' | 'header'): SubjectOf {
  const setting = use === 'key' ? 'key.subject.name.strategy' : 'value.subject.name.strategy'
  const name = config[setting]
  const known = /^(?:io\.confluent\.kafka\.serializers\.subject\.)?(\w+)$/.exec(name)?.[1]
  switch (known) {
    case 'TopicNameStrategy':
      return (topic) => `${topic}-${use === 'key' ? 'key' : 'value'}`
    case 'RecordNameStrategy':
      return (_topic, recordName) => recordName()
    case 'TopicRecordNameStrategy':
      return (topic, recordName) => `${topic}-${recordName()}`
    default:
      throw new ConfigError(
        `${setting} is TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy, not ${name}`,
        { setting },
      )
  }
}

/** What is wrong with a config beyond the single settings, before anyone has to wait for it. @throws ConfigError */
export function checkRegistryConfig(config: RegistryConverterConfig, use: 'key' | 'value' | 'header'): void {
  registryUrls(config)
  authorizationOf(config)
  subjectStrategy(config, use)
}
