/** AlterUserScramCredentials, v0 (KIP-554): sets and removes users' credentials; on disk when it is answered. */
import { errorCodes } from '../../protocol/errors.ts'
import type { RequestOf } from '../../protocol/message.ts'
import { alterUserScramCredentials } from '../../protocol/messages/alter-user-scram-credentials.ts'
import {
  saltedCredential,
  scramIterations,
  scramKeyBytes,
  type ScramCredential,
  type ScramMechanism,
} from '../../protocol/scram.ts'
import { defineHandler } from '../handler.ts'
import { errorMessageOf, kafkaErrorOf, RequestError } from '../kafka-error.ts'
import type { CredentialChange } from '../sasl/credentials.ts'
import { maxUserNameLength } from '../sasl/exchange.ts'
import type { UserCredentials } from '../sasl/users-file.ts'
import { scramMechanismOf } from '../scram-types.ts'
import type { BrokerServices } from '../services.ts'

type Upsertion = RequestOf<typeof alterUserScramCredentials>['upsertions'][number]

/** What becomes of one user: all that is asked for, or nothing. */
interface Plan {
  readonly changes: CredentialChange[]
  error?: RequestError
}

export const alterUserScramCredentialsHandler = defineHandler({
  api: alterUserScramCredentials,
  versions: [0, 0],
  async handle(services, { deletions, upsertions }) {
    const { credentials, logger } = services
    const plans = new Map<string, Plan>()
    const add = (user: string, change: () => CredentialChange): void => {
      const plan = plans.get(user) ?? { changes: [] }
      plans.set(user, plan)
      addTo(plan, change)
    }
    try {
      const users = await credentials.users()
      for (const { name, mechanism } of deletions) add(name, () => deletion(users, name, mechanism))
      for (const upsertion of upsertions) add(upsertion.name, () => upserted(upsertion))
      const changes = [...plans.values()].flatMap((plan) => (plan.error === undefined ? plan.changes : []))
      if (changes.length > 0) await credentials.change(changes)
      for (const { user, mechanism, credential } of changes) {
        logger.info(`The credential of a user was ${credential === undefined ? 'removed' : 'set'}`, { user, mechanism })
      }
    } catch (error) {
      const failed = storageError(error, services)
      for (const { name } of [...deletions, ...upsertions]) {
        plans.set(name, { changes: [], error: plans.get(name)?.error ?? failed })
      }
    }
    const results = [...plans].map(([user, { error }]) =>
      error === undefined
        ? { user, errorCode: errorCodes.NONE }
        : { user, errorCode: errorCodes[error.code], errorMessage: error.message },
    )
    return { results }
  },
})

/** Two mechanisms of one user may be changed together, as Kafka's documentation shows it; one of them twice may not. */
function addTo(plan: Plan, change: () => CredentialChange): void {
  try {
    const next = change()
    if (plan.changes.some(({ mechanism }) => mechanism === next.mechanism)) {
      throw new RequestError('DUPLICATE_RESOURCE', 'A user credential cannot be altered twice in the same request')
    }
    plan.changes.push(next)
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    plan.error ??= error
  }
}

function storageError(error: unknown, { logger }: BrokerServices): RequestError {
  const code = kafkaErrorOf(error, logger)
  return new RequestError(code, errorMessageOf(error) ?? 'The users could not be changed')
}

/** @throws RequestError */
function mechanismOf(user: string, type: number): ScramMechanism {
  if (user === '') throw new RequestError('UNACCEPTABLE_CREDENTIAL', 'Username must not be empty')
  const mechanism = scramMechanismOf(type)
  if (mechanism === undefined) throw new RequestError('UNSUPPORTED_SASL_MECHANISM', 'Unknown SCRAM mechanism')
  return mechanism
}

/** @throws RequestError */
function deletion(users: ReadonlyMap<string, UserCredentials>, user: string, type: number): CredentialChange {
  const mechanism = mechanismOf(user, type)
  if (users.get(user)?.[mechanism] === undefined) {
    throw new RequestError('RESOURCE_NOT_FOUND', 'Attempt to delete a user credential that does not exist')
  }
  return { user, mechanism }
}

/** @throws RequestError */
function upserted({ name, mechanism: type, iterations, salt, saltedPassword }: Upsertion): CredentialChange {
  const mechanism = mechanismOf(name, type)
  const unacceptable = (reason: string) => new RequestError('UNACCEPTABLE_CREDENTIAL', reason)
  if (name.length > maxUserNameLength) throw unacceptable('Username is too long')
  if (iterations < scramIterations.minimum) throw unacceptable('Too few iterations')
  if (iterations > scramIterations.maximum) throw unacceptable('Too many iterations')
  if (salt.length === 0 || salt.length > maxSaltBytes) throw unacceptable('The salt is empty or too long')
  if (saltedPassword.length !== scramKeyBytes(mechanism)) throw unacceptable('The salted password is of another length')
  const credential: ScramCredential = saltedCredential(mechanism, saltedPassword, Buffer.from(salt), iterations)
  return { user: name, mechanism, credential }
}

const maxSaltBytes = 1024
