/** What has settings (KIP-1142): v0 client metrics alone (KIP-714); v1 by the types of DescribeConfigs, none for all. */
import { array, defineApi, int16, int32, int8, string } from '../message.ts'

export const listConfigResources = defineApi({
  key: 74,
  name: 'ListConfigResources',
  versions: [0, 1],
  flexible: 0,
  request: {
    resourceTypes: array(int8(), { from: 1 }),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    configResources: array({ resourceName: string(), resourceType: int8({ from: 1, default: 16 }) }),
  },
})
