/** Deletes topics. v6 takes topic ids as well, in topics instead of topicNames. */
import { array, defineApi, int16, int32, string, uuid } from '../message.ts'

export const deleteTopics = defineApi({
  key: 20,
  name: 'DeleteTopics',
  versions: [1, 6],
  flexible: 4,
  request: {
    topics: array({ name: string({ nullable: 6, default: null }), topicId: uuid() }, { from: 6 }),
    topicNames: array(string(), { to: 5 }),
    timeoutMs: int32(),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    responses: array({
      name: string({ nullable: 6 }),
      topicId: uuid({ from: 6 }),
      errorCode: int16(),
      errorMessage: string({ from: 5, nullable: 5, default: null }),
    }),
  },
})
