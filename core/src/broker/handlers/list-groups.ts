/** ListGroups, v0–5. v3 flexible · v4 by state · v5 by type: classic, consumer (KIP-848) */
import { errorCodes } from '../../protocol/errors.ts'
import { listGroups } from '../../protocol/messages/list-groups.ts'
import { defineHandler } from '../handler.ts'

export const listGroupsHandler = defineHandler({
  api: listGroups,
  versions: [0, 5],
  handle(services, { statesFilter, typesFilter }) {
    const states = new Set(statesFilter.map((state) => state.toLowerCase()))
    const types = new Set(typesFilter.map((type) => type.toLowerCase()))
    const groups = services.groups
      .list()
      .filter(({ state }) => states.size === 0 || states.has(state.toLowerCase()))
      .filter(({ type }) => types.size === 0 || types.has(type))
      .map(({ groupId, protocolType, state, type }) => ({ groupId, protocolType, groupState: state, groupType: type }))
    return { throttleTimeMs: 0, errorCode: errorCodes.NONE, groups }
  },
})
