import type { Setting } from '@tidewire/sdk'
import { topicSettings } from '../log/topic-config.ts'
import { brokerSynonyms, brokerSettings, topicDefaults, type BrokerConfig } from './config.ts'

/** Where a setting's value comes from, by the protocol's numbers. */
const configSources = {
  TOPIC: 1,
  STATIC_BROKER: 4,
  DEFAULT: 5,
} as const

const configTypes = { boolean: 1, string: 2, int: 3, short: 4, long: 5, double: 6, list: 7, class: 8, password: 9 }

export interface DescribedSetting {
  readonly name: string
  /** Null: not set, or not to be shown. */
  readonly value: string | null
  readonly readOnly: boolean
  readonly configSource: number
  readonly isSensitive: boolean
  readonly configType: number
  readonly documentation: string
  readonly synonyms: readonly { name: string; value: string | null; source: number }[]
}

/**
 * A topic's settings as DescribeConfigs shows them.
 * @param own what is set for the topic itself
 * @param names only these; null: all
 */
export function describeTopicSettings(
  broker: BrokerConfig,
  own: Readonly<Record<string, string>>,
  names: readonly string[] | null,
): DescribedSetting[] {
  const defaults = topicDefaults(broker)
  return Object.entries(topicSettings)
    .filter(([name]) => names?.includes(name) !== false)
    .map(([name, setting]) => {
      const synonyms: { name: string; value: string; source: number }[] = []
      if (own[name] !== undefined) synonyms.push({ name, value: own[name], source: configSources.TOPIC })
      const brokerName = brokerSynonyms[name]
      const inherited = defaults[name] ?? setting.default
      const isDefault = inherited === setting.default
      if (brokerName !== undefined && !isDefault) {
        synonyms.push({ name: brokerName, value: inherited, source: configSources.STATIC_BROKER })
      }
      synonyms.push({ name: brokerName ?? name, value: setting.default, source: configSources.DEFAULT })
      return {
        name,
        value: synonyms[0]!.value,
        readOnly: false,
        configSource: synonyms[0]!.source,
        isSensitive: false,
        configType: configTypes[setting.type],
        documentation: setting.doc,
        synonyms,
      }
    })
}

/** The broker's own settings; they are read at start and cannot be changed through the protocol. */
export function describeBrokerSettings(broker: BrokerConfig, names: readonly string[] | null): DescribedSetting[] {
  return Object.entries<Setting>(brokerSettings)
    .filter(([name]) => names?.includes(name) !== false)
    .map(([name, setting]) => {
      const isSensitive = setting.type === 'password'
      const text = (given: Setting['default']) => (given === undefined || isSensitive ? null : String(given))
      const given = broker[name as keyof BrokerConfig]
      const value = text(given)
      const fallback = text(setting.default)
      const synonyms = [{ name, value: fallback, source: configSources.DEFAULT as number }]
      if (value !== fallback || (isSensitive && given !== undefined)) {
        synonyms.unshift({ name, value, source: configSources.STATIC_BROKER })
      }
      return {
        name,
        value,
        readOnly: true,
        configSource: synonyms[0]!.source,
        isSensitive,
        configType: configTypes[setting.type],
        documentation: setting.doc,
        synonyms,
      }
    })
}
