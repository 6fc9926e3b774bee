/**
 * FindCoordinator, v0–6. The coordinator is always this broker; asking for it makes its topic.
 * v1 transactions · v3 flexible · v4 many keys in one request · v5 TRANSACTION_ABORTABLE · v6 share groups (not served)
 */
import { errorByCode, errorCodes } from '../../protocol/errors.ts'
import { findCoordinator } from '../../protocol/messages/find-coordinator.ts'
import { defineHandler } from '../handler.ts'
import type { KafkaError } from '../kafka-error.ts'
import { nodeId, type BrokerServices } from '../services.ts'

export const findCoordinatorHandler = defineHandler({
  api: findCoordinator,
  versions: [0, 6],
  async handle(services, request, { version, advertised }) {
    const error = await prepare(services, request.keyType)
    const where =
      error === 'NONE' ? { nodeId, host: advertised.host, port: advertised.port } : { nodeId: -1, host: '', port: -1 }
    const errorCode = errorCodes[error]
    const errorMessage = error === 'NONE' ? null : errorByCode(errorCode).message
    if (version < 4) return { throttleTimeMs: 0, errorCode, errorMessage, ...where }
    const coordinators = request.coordinatorKeys.map((key) => ({ key, ...where, errorCode, errorMessage }))
    return { throttleTimeMs: 0, coordinators }
  },
})

function prepare({ groups, transactions }: BrokerServices, keyType: number): Promise<KafkaError> | KafkaError {
  switch (keyType) {
    case 0:
      return groups.prepare()
    case 1:
      return transactions.prepare()
    default:
      return 'INVALID_REQUEST'
  }
}
