/** Takes back access rights that match a filter. From v1 with pattern types (KIP-290). */
import { array, defineApi, int16, int32, int8, string } from '../message.ts'
import { aclFilter } from './describe-acls.ts'

export const deleteAcls = defineApi({
  key: 31,
  name: 'DeleteAcls',
  versions: [1, 3],
  flexible: 2,
  request: {
    filters: array(aclFilter),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    filterResults: array({
      errorCode: int16(),
      errorMessage: string({ nullable: 0, default: null }),
      matchingAcls: array({
        errorCode: int16(),
        errorMessage: string({ nullable: 0, default: null }),
        resourceType: int8(),
        resourceName: string(),
        patternType: int8(),
        principal: string(),
        host: string(),
        operation: int8(),
        permissionType: int8(),
      }),
    }),
  },
})
