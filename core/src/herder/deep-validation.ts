/** Validation by trying: the connector asks the external system whether what its config says works. */
import type { SettingErrors } from '../config/settings.ts'
import { messageOf } from '../logging/message-of.ts'
import type { TryEnd } from '../worker/errand-messages.ts'
import type { Config } from './config-store.ts'
import type { Validation } from './validation.ts'

/** How long a connector may try. */
export const tryLimitMs = 10_000

/** What came of it, as the answer tells it beside Kafka Connect's fields. */
export interface DeepResult {
  readonly tried: boolean
  /** Why it was not tried, or not to its end. */
  readonly reason?: string
}

/**
 * Tries a config that was found right.
 * @param tryOut has the connector try; see errand-runner.ts
 * @throws what says that the worker has no room for it now
 */
export async function validateDeeply(
  { plugin, errors }: Pick<Validation, 'plugin' | 'errors'>,
  config: Config,
  tryOut: (config: Config) => Promise<TryEnd>,
): Promise<{ deep: DeepResult; errors: SettingErrors }> {
  const { name, hasTryOut } = plugin.manifest
  if (Object.keys(errors).length > 0) {
    return { deep: { tried: false, reason: 'the config is wrong by itself: nothing was tried' }, errors }
  }
  if (!hasTryOut) return { deep: { tried: false, reason: `connector ${name} has nothing to try` }, errors }
  const failed = (reason: string) => ({ deep: { tried: false, reason }, errors: { 'connector.class': [reason] } })
  try {
    const { ended, problems } = await tryOut(config)
    if (ended === 'tried') return { deep: { tried: true }, errors: problems }
    return failed(
      `Connector ${name} did not come to an end within ${tryLimitMs / 1000} s: what it connects to may not answer`,
    )
  } catch (error) {
    if (error instanceof Error && error.name === 'ErrandsBusyError') throw error
    return failed(`The connector could not try the config: ${messageOf(error)}`)
  }
}
