/**
 * DescribeClientQuotas, v0–1: there are none, since AlterClientQuotas is not served. Kafka's kafka-configs asks for the
 * quotas of users before it shows their credentials. v1 flexible
 */
import { errorCodes } from '../../protocol/errors.ts'
import { describeClientQuotas } from '../../protocol/messages/describe-client-quotas.ts'
import { defineHandler } from '../handler.ts'

export const describeClientQuotasHandler = defineHandler({
  api: describeClientQuotas,
  versions: [0, 1],
  handle: () => ({ errorCode: errorCodes.NONE, entries: [] }),
})
