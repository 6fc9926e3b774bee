/**
 * AlterConfigs, v0–2: sets all settings of a topic, the broker or a group anew; what is not named goes back to its default.
 * v2 flexible
 */
import { errorCodes } from '../../protocol/errors.ts'
import { alterConfigs } from '../../protocol/messages/alter-configs.ts'
import { alterSettings } from '../alter-settings.ts'
import { defineHandler } from '../handler.ts'
import { errorMessageOf, kafkaErrorOf, RequestError } from '../kafka-error.ts'

export const alterConfigsHandler = defineHandler({
  api: alterConfigs,
  versions: [0, 2],
  async handle(services, { resources, validateOnly }) {
    const responses = resources.map(async ({ resourceType, resourceName, configs }) => {
      const replace = () =>
        Object.fromEntries(
          configs.map(({ name, value }) => {
            if (value === null) throw new RequestError('INVALID_CONFIG', `Null value not supported for ${name}.`)
            return [name, value]
          }),
        )
      try {
        await alterSettings(services, { resourceType, resourceName }, replace, validateOnly)
        return { errorCode: errorCodes.NONE, errorMessage: null, resourceType, resourceName }
      } catch (error) {
        const errorMessage = errorMessageOf(error)
        return { errorCode: errorCodes[kafkaErrorOf(error, services.logger)], errorMessage, resourceType, resourceName }
      }
    })
    return { responses: await Promise.all(responses) }
  },
})
