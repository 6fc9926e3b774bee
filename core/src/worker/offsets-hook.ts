import { ConfigError, isRetriable } from '@tidewire/sdk'

/**
 * Asks the connector about offsets. What it says against them is the request's fault.
 * @throws ConfigError; errors that pass, and those that are no answer, as they are
 */
export async function askConnector<T>(question: () => T | Promise<T>): Promise<T> {
  try {
    return await question()
  } catch (error) {
    if (isRetriable(error) || !(error instanceof Error) || !answers.has(error.name)) throw error
    throw new ConfigError(error.message, { cause: error })
  }
}

const answers: ReadonlySet<string> = new Set(['ConfigError', 'DataError', 'ConnectError', 'NotFoundError'])
