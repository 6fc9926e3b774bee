/** DescribeAcls, v1–3: there are no access rights, and that is what Kafka answers without an authorizer. v2 flexible */
import { errorCodes } from '../../protocol/errors.ts'
import { describeAcls } from '../../protocol/messages/describe-acls.ts'
import { defineHandler } from '../handler.ts'

export const noAuthorizer = {
  errorCode: errorCodes.SECURITY_DISABLED,
  errorMessage: 'No Authorizer is configured on the broker: who may connect may do everything.',
} as const

export const describeAclsHandler = defineHandler({
  api: describeAcls,
  versions: [1, 3],
  handle: () => ({ ...noAuthorizer, resources: [] }),
})
