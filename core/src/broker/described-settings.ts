import type { Setting } from '@tidewire/sdk'
import { topicSettings } from '../log/topic-config.ts'
import { brokerSettings, brokerSynonyms, type BrokerConfig } from './config.ts'
import { dynamicSettings, type DynamicSettings } from './dynamic-settings.ts'
import { groupSettings } from './group-settings.ts'

/** Where a setting's value comes from, by the protocol's numbers. */
const configSources = {
  TOPIC: 1,
  DYNAMIC_BROKER: 2,
  DYNAMIC_DEFAULT_BROKER: 3,
  STATIC_BROKER: 4,
  DEFAULT: 5,
  GROUP: 8,
} as const

const configTypes = { boolean: 1, string: 2, int: 3, short: 4, long: 5, double: 6, list: 7, class: 8, password: 9 }

interface Synonym {
  readonly name: string
  readonly value: string | null
  readonly source: number
}

export interface DescribedSetting {
  readonly name: string
  /** Null: not set, or not to be shown. */
  readonly value: string | null
  readonly readOnly: boolean
  readonly configSource: number
  readonly isSensitive: boolean
  readonly configType: number
  readonly documentation: string
  /** All places that give it a value, the one in force first. */
  readonly synonyms: readonly Synonym[]
}

/**
 * A topic's settings as DescribeConfigs shows them.
 * @param own what is set for the topic itself
 * @param names only these; null: all
 */
export function describeTopicSettings(
  broker: DynamicSettings,
  own: Readonly<Record<string, string>>,
  names: readonly string[] | null,
): DescribedSetting[] {
  return Object.entries(topicSettings)
    .filter(([name]) => names?.includes(name) !== false)
    .map(([name, setting]) => {
      const brokerName = brokerSynonyms[name]
      const synonyms = [
        ...(own[name] === undefined ? [] : [{ name, value: own[name], source: configSources.TOPIC }]),
        ...(brokerName === undefined
          ? [{ name, value: setting.default, source: configSources.DEFAULT }]
          : brokerValues(broker, brokerName)),
      ]
      return { ...described(name, setting, synonyms), readOnly: false }
    })
}

/** A group's settings, likewise. */
export function describeGroupSettings(
  broker: DynamicSettings,
  own: Readonly<Record<string, string>>,
  names: readonly string[] | null,
): DescribedSetting[] {
  return Object.entries(groupSettings)
    .filter(([name]) => names?.includes(name) !== false)
    .map(([name, brokerName]) => {
      const mine = own[name] === undefined ? [] : [{ name, value: own[name], source: configSources.GROUP }]
      const synonyms = [...mine, ...brokerValues(broker, brokerName)]
      return { ...described(brokerName, brokerSettings[brokerName], synonyms), name, readOnly: false }
    })
}

/** All settings of the broker. Those that are not read-only can be changed through the protocol. */
export function describeBrokerSettings(broker: DynamicSettings, names: readonly string[] | null): DescribedSetting[] {
  return (Object.entries(brokerSettings) as [keyof BrokerConfig, Setting][])
    .filter(([name]) => names?.includes(name) !== false)
    .map(([name, setting]) => described(name, setting, brokerValues(broker, name)))
}

/** What was changed for all brokers, and nothing else. */
export function describeClusterSettings(broker: DynamicSettings, names: readonly string[] | null): DescribedSetting[] {
  return Object.entries(broker.changed('cluster'))
    .filter(([name]) => names?.includes(name) !== false)
    .map(([name, value]) =>
      described(name, brokerSettings[name as keyof BrokerConfig], [
        { name, value, source: configSources.DYNAMIC_DEFAULT_BROKER },
      ]),
    )
}

function described(
  name: string,
  setting: Pick<Setting, 'type' | 'doc'>,
  synonyms: readonly Synonym[],
): DescribedSetting {
  return {
    name,
    value: synonyms[0]!.value,
    readOnly: !dynamicSettings.has(name),
    configSource: synonyms[0]!.source,
    isSensitive: setting.type === 'password',
    configType: configTypes[setting.type],
    documentation: setting.doc,
    synonyms,
  }
}

/** Where a setting of the broker has a value from, the one in force first. */
function brokerValues(broker: DynamicSettings, name: keyof BrokerConfig): Synonym[] {
  const values: Synonym[] = []
  const changed = [
    ['broker', configSources.DYNAMIC_BROKER],
    ['cluster', configSources.DYNAMIC_DEFAULT_BROKER],
  ] as const
  for (const [scope, source] of changed) {
    const value = broker.changed(scope)[name]
    if (value !== undefined) values.push({ name, value, source })
  }
  const setting: Setting = brokerSettings[name]
  const atStart = broker.atStart[name]
  const isSecret = setting.type === 'password'
  const text = (value: Setting['default']) => (value === undefined || isSecret ? null : String(value))
  const isGiven = isSecret ? atStart !== undefined : text(atStart) !== text(setting.default)
  if (isGiven) values.push({ name, value: text(atStart), source: configSources.STATIC_BROKER })
  values.push({ name, value: text(setting.default), source: configSources.DEFAULT })
  return values
}
