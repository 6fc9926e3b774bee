/** DeleteAcls, v1–3: refused, as Kafka does without an authorizer. v2 flexible */
import { deleteAcls } from '../../protocol/messages/delete-acls.ts'
import { defineHandler } from '../handler.ts'
import { noAuthorizer } from './describe-acls.ts'

export const deleteAclsHandler = defineHandler({
  api: deleteAcls,
  versions: [1, 3],
  handle: (_services, { filters }) => ({ filterResults: filters.map(() => ({ ...noAuthorizer, matchingAcls: [] })) }),
})
