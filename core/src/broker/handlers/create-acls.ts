/** CreateAcls, v1–3: refused, as Kafka does without an authorizer; a right that looks granted would be worse. v2 flexible */
import { createAcls } from '../../protocol/messages/create-acls.ts'
import { defineHandler } from '../handler.ts'
import { noAuthorizer } from './describe-acls.ts'

export const createAclsHandler = defineHandler({
  api: createAcls,
  versions: [1, 3],
  handle: (_services, { creations }) => ({ results: creations.map(() => noAuthorizer) }),
})
