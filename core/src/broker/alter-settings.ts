import type { Settings } from '@tidewire/sdk'
import { topicSettings, validateTopicConfig } from '../log/topic-config.ts'
import { brokerSettings } from './config.ts'
import type { SettingScope } from './dynamic-settings.ts'
import { RequestError } from './kafka-error.ts'
import { resourceTypes } from './resource-types.ts'
import { nodeId, type BrokerServices } from './services.ts'
import { isInternalTopic } from './topic-catalog.ts'

export interface SettingsOwner {
  readonly resourceType: number
  readonly resourceName: string
}

type Change = (current: Readonly<Record<string, string>>) => Record<string, string>

/**
 * Replaces the settings of a topic, the broker or a group, for AlterConfigs and IncrementalAlterConfigs.
 * @param change gives the new settings from those that are set now
 * @throws RequestError, LogStorageError
 */
export async function alterSettings(
  services: BrokerServices,
  owner: SettingsOwner,
  change: Change,
  validateOnly: boolean,
): Promise<void> {
  switch (owner.resourceType) {
    case resourceTypes.TOPIC:
      return alterTopic(services, owner.resourceName, change, validateOnly)
    case resourceTypes.BROKER:
      alterBroker(services, brokerScope(owner.resourceName), change, validateOnly)
      return
    case resourceTypes.GROUP:
      alterGroup(services, owner.resourceName, change, validateOnly)
      return
    default:
      throw new RequestError('INVALID_REQUEST', `Resources of type ${owner.resourceType} have no settings here`)
  }
}

async function alterTopic(
  services: BrokerServices,
  name: string,
  change: Change,
  validateOnly: boolean,
): Promise<void> {
  const topic = services.topics.get(name)
  if (topic === undefined) throw new RequestError('UNKNOWN_TOPIC_OR_PARTITION', `The topic '${name}' does not exist.`)
  const config = change(topic.config)
  validateTopicConfig(config)
  if (isInternalTopic(name) && config['cleanup.policy'] !== 'compact') {
    throw new RequestError('INVALID_CONFIG', `${name} has to stay compacted: it holds the state of the broker.`)
  }
  if (!validateOnly) await services.log.alterConfig(name, config)
}

function alterBroker(
  { settings, logger }: BrokerServices,
  scope: SettingScope,
  change: Change,
  validateOnly: boolean,
): void {
  const values = change(settings.changed(scope))
  settings.check(values)
  if (validateOnly) return
  settings.replace(scope, values)
  logger.info('The settings of the broker were changed', { scope, changed: values })
}

function alterGroup({ groupSettings }: BrokerServices, groupId: string, change: Change, validateOnly: boolean): void {
  if (groupId === '') throw new RequestError('INVALID_REQUEST', 'Default group resources are not allowed.')
  const values = change(groupSettings.own(groupId))
  if (validateOnly) groupSettings.check(values)
  else groupSettings.replace(groupId, values)
}

/**
 * The empty name stands for all brokers.
 * @throws RequestError
 */
export function brokerScope(resourceName: string): SettingScope {
  if (resourceName === '') return 'cluster'
  if (resourceName === String(nodeId)) return 'broker'
  throw new RequestError(
    'INVALID_REQUEST',
    `Unexpected broker id, expected ${nodeId} or empty string, but received ${resourceName}`,
  )
}

/** The items that a setting has by default; undefined for what is no list. */
export function defaultItems(resourceType: number, name: string): readonly string[] | undefined {
  if (resourceType === resourceTypes.BROKER) {
    const settings: Settings = brokerSettings
    const setting = settings[name]
    return Array.isArray(setting?.default) ? setting.default : undefined
  }
  const setting = resourceType === resourceTypes.TOPIC ? topicSettings[name] : undefined
  return setting?.type === 'list' ? setting.default.split(',') : undefined
}
