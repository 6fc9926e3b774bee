/** Access rights that match a filter. From v1 with pattern types (KIP-290). */
import { array, defineApi, int16, int32, int8, string } from '../message.ts'

/** Null: whatever it is. */
export const aclFilter = {
  resourceTypeFilter: int8(),
  resourceNameFilter: string({ nullable: 0 }),
  patternTypeFilter: int8(),
  principalFilter: string({ nullable: 0 }),
  hostFilter: string({ nullable: 0 }),
  operation: int8(),
  permissionType: int8(),
}

export const describeAcls = defineApi({
  key: 29,
  name: 'DescribeAcls',
  versions: [1, 3],
  flexible: 2,
  request: aclFilter,
  response: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: 0, default: null }),
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      patternType: int8(),
      acls: array({ principal: string(), host: string(), operation: int8(), permissionType: int8() }),
    }),
  },
})
