/** ListTransactions, v0–2. v1 by duration · v2 by a pattern of the transactional id */
import { errorCodes } from '../../protocol/errors.ts'
import { listTransactions } from '../../protocol/messages/list-transactions.ts'
import { defineHandler } from '../handler.ts'
import { transactionStatuses } from '../transaction-log.ts'

/** A pattern comes from the network: kept short, so that it cannot take for ever. */
const longestPattern = 256

export const listTransactionsHandler = defineHandler({
  api: listTransactions,
  versions: [0, 2],
  handle(services, request) {
    const { stateFilters, producerIdFilters, durationFilter, transactionalIdPattern } = request
    const unknownStateFilters = stateFilters.filter((state) => !transactionStatuses.includes(state))
    const pattern = compile(transactionalIdPattern)
    if (pattern === undefined) {
      return { errorCode: errorCodes.INVALID_REGULAR_EXPRESSION, unknownStateFilters, transactionStates: [] }
    }
    const now = services.clock.now()
    const transactionStates = services.transactions
      .list()
      .filter(
        ({ transactionalId, producerId, status, startedAt }) =>
          (stateFilters.length === 0 || stateFilters.includes(status)) &&
          (producerIdFilters.length === 0 || producerIdFilters.includes(producerId)) &&
          (durationFilter < 0 || (status === 'Ongoing' && now - startedAt > durationFilter)) &&
          (pattern === null || pattern.test(transactionalId)),
      )
      .map(({ transactionalId, producerId, status }) => ({ transactionalId, producerId, transactionState: status }))
    return { errorCode: errorCodes.NONE, unknownStateFilters, transactionStates }
  },
})

function compile(pattern: string | null): RegExp | null | undefined {
  if (pattern === null || pattern === '') return null
  if (pattern.length > longestPattern) return undefined
  try {
    return new RegExp(`^(?:${pattern})$`)
  } catch {
    return undefined
  }
}
