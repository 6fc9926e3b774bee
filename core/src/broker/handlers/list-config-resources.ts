/**
 * ListConfigResources, v0–1: what has settings. v0 is for client metrics (KIP-714), of which there are none here;
 * v1 for all kinds (KIP-1142)
 */
import { errorCodes } from '../../protocol/errors.ts'
import { listConfigResources } from '../../protocol/messages/list-config-resources.ts'
import { defineHandler } from '../handler.ts'
import { resourceTypes } from '../resource-types.ts'
import { nodeId, type BrokerServices } from '../services.ts'

const known: ReadonlySet<number> = new Set(Object.values(resourceTypes))

export const listConfigResourcesHandler = defineHandler({
  api: listConfigResources,
  versions: [0, 1],
  handle(services, { resourceTypes: asked }, { version }) {
    if (version === 0) return { errorCode: errorCodes.NONE, configResources: [] }
    if (asked.some((type) => !known.has(type)))
      return { errorCode: errorCodes.UNSUPPORTED_VERSION, configResources: [] }
    const types = asked.length === 0 ? [...known] : asked
    const configResources = types.flatMap((resourceType) =>
      namesOf(services, resourceType).map((resourceName) => ({ resourceName, resourceType })),
    )
    return { errorCode: errorCodes.NONE, configResources }
  },
})

function namesOf(services: BrokerServices, resourceType: number): string[] {
  if (resourceType === resourceTypes.TOPIC) return services.topics.all().map(({ name }) => name)
  if (resourceType === resourceTypes.GROUP) return services.groupSettings.ids()
  return resourceType === resourceTypes.BROKER ? [String(nodeId)] : []
}
