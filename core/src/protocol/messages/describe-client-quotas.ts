/** Quotas that match a filter (KIP-546). matchType: 0 this name, 1 the default, 2 any name. */
import { array, boolean, defineApi, float64, int16, int32, int8, string } from '../message.ts'

export const describeClientQuotas = defineApi({
  key: 48,
  name: 'DescribeClientQuotas',
  versions: [0, 1],
  flexible: 1,
  request: {
    components: array({ entityType: string(), matchType: int8(), match: string({ nullable: 0 }) }),
    strict: boolean(),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: 0, default: null }),
    entries: array(
      {
        entity: array({ entityType: string(), entityName: string({ nullable: 0 }) }),
        values: array({ key: string(), value: float64() }),
      },
      { nullable: 0 },
    ),
  },
})
