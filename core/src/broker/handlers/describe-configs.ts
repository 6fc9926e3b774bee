/** DescribeConfigs, v1–4, of topics, the broker and groups. v3 types and documentation · v4 flexible */
import { errorCodes } from '../../protocol/errors.ts'
import type { RequestOf } from '../../protocol/message.ts'
import { describeConfigs } from '../../protocol/messages/describe-configs.ts'
import { brokerScope } from '../alter-settings.ts'
import { defineHandler } from '../handler.ts'
import { errorMessageOf, kafkaErrorOf, RequestError } from '../kafka-error.ts'
import { resourceTypes } from '../resource-types.ts'
import type { BrokerServices } from '../services.ts'
import {
  describeBrokerSettings,
  describeClusterSettings,
  describeGroupSettings,
  describeTopicSettings,
  type DescribedSetting,
} from '../described-settings.ts'

type Resource = RequestOf<typeof describeConfigs>['resources'][number]

export const describeConfigsHandler = defineHandler({
  api: describeConfigs,
  versions: [1, 4],
  handle(services, { resources, includeSynonyms, includeDocumentation }) {
    const results = resources.map((resource) => {
      const { resourceType, resourceName } = resource
      try {
        const configs = settingsOf(services, resource).map((setting) => ({
          ...setting,
          synonyms: includeSynonyms ? setting.synonyms : [],
          documentation: includeDocumentation ? setting.documentation : null,
        }))
        return { errorCode: errorCodes.NONE, errorMessage: null, resourceType, resourceName, configs }
      } catch (error) {
        const errorMessage = errorMessageOf(error)
        return {
          errorCode: errorCodes[kafkaErrorOf(error, services.logger)],
          errorMessage,
          resourceType,
          resourceName,
          configs: [],
        }
      }
    })
    return { results }
  },
})

/** @throws RequestError */
function settingsOf(services: BrokerServices, resource: Resource): DescribedSetting[] {
  const { resourceType, resourceName, configurationKeys } = resource
  // An empty list asks for all, as null does.
  const names = configurationKeys?.length === 0 ? null : configurationKeys
  switch (resourceType) {
    case resourceTypes.TOPIC: {
      const topic = services.topics.get(resourceName)
      if (topic === undefined) throw new RequestError('UNKNOWN_TOPIC_OR_PARTITION', `There is no topic ${resourceName}`)
      return describeTopicSettings(services.settings, topic.config, names)
    }
    case resourceTypes.BROKER:
      return brokerScope(resourceName) === 'cluster'
        ? describeClusterSettings(services.settings, names)
        : describeBrokerSettings(services.settings, names)
    case resourceTypes.GROUP:
      return describeGroupSettings(services.settings, services.groupSettings.own(resourceName), names)
    default:
      throw new RequestError('INVALID_REQUEST', `Resources of type ${resourceType} have no settings here`)
  }
}
