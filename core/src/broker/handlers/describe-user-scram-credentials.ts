/** DescribeUserScramCredentials, v0 (KIP-554): who can log in with which mechanism. */
import { errorCodes } from '../../protocol/errors.ts'
import { describeUserScramCredentials } from '../../protocol/messages/describe-user-scram-credentials.ts'
import { scramMechanisms } from '../../protocol/scram.ts'
import { defineHandler } from '../handler.ts'
import { errorMessageOf, kafkaErrorOf } from '../kafka-error.ts'
import type { UserCredentials } from '../sasl/users-file.ts'
import { scramTypes } from '../scram-types.ts'

export const describeUserScramCredentialsHandler = defineHandler({
  api: describeUserScramCredentials,
  versions: [0, 0],
  async handle({ credentials, logger }, { users: asked }) {
    try {
      const users = await credentials.users()
      const names = asked === null || asked.length === 0 ? [...users.keys()] : asked.map(({ name }) => name)
      const times = new Map<string, number>()
      for (const name of names) times.set(name, (times.get(name) ?? 0) + 1)
      const results = [...times].map(([user, count]) => {
        if (count > 1) {
          const errorMessage = `Cannot describe SCRAM credentials for the same user twice in a single request: ${user}`
          return { user, errorCode: errorCodes.DUPLICATE_RESOURCE, errorMessage, credentialInfos: [] }
        }
        const known = users.get(user)
        if (known === undefined) {
          const errorMessage = `Attempt to describe a user credential that does not exist: ${user}`
          return { user, errorCode: errorCodes.RESOURCE_NOT_FOUND, errorMessage, credentialInfos: [] }
        }
        return { user, errorCode: errorCodes.NONE, credentialInfos: infosOf(known) }
      })
      return { errorCode: errorCodes.NONE, results }
    } catch (error) {
      return { errorCode: errorCodes[kafkaErrorOf(error, logger)], errorMessage: errorMessageOf(error), results: [] }
    }
  },
})

function infosOf(known: UserCredentials) {
  return scramMechanisms.flatMap((mechanism) => {
    const credential = known[mechanism]
    return credential === undefined ? [] : { mechanism: scramTypes[mechanism], iterations: credential.iterations }
  })
}
