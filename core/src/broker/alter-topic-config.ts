import { validateTopicConfig } from '../log/topic-config.ts'
import { RequestError } from './kafka-error.ts'
import { resourceTypes } from './resource-types.ts'
import type { BrokerServices } from './services.ts'
import { isInternalTopic } from './topic-catalog.ts'

/**
 * Replaces the settings of a topic, for AlterConfigs and IncrementalAlterConfigs.
 * @param change gives the new settings from those there are
 * @throws RequestError, LogStorageError
 */
export async function alterTopicConfig(
  services: BrokerServices,
  resourceType: number,
  name: string,
  change: (current: Readonly<Record<string, string>>) => Record<string, string>,
  validateOnly: boolean,
): Promise<void> {
  if (resourceType !== resourceTypes.TOPIC) {
    const reason = 'Only the settings of topics can be changed; those of the broker are read at start.'
    throw new RequestError('INVALID_REQUEST', reason)
  }
  const topic = services.topics.get(name)
  if (topic === undefined) throw new RequestError('UNKNOWN_TOPIC_OR_PARTITION', `The topic '${name}' does not exist.`)
  const config = change(topic.config)
  validateTopicConfig(config)
  if (isInternalTopic(name) && config['cleanup.policy'] !== 'compact') {
    throw new RequestError('INVALID_CONFIG', `${name} has to stay compacted: it holds the state of the broker.`)
  }
  if (!validateOnly) await services.log.alterConfig(name, config)
}
