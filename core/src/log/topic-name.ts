import { LogStorageError } from './errors.ts'

const MAX_LENGTH = 249

/**
 * Kafka's rules for topic names, which are also what makes them safe as names of directories.
 * @throws LogStorageError INVALID_TOPIC_EXCEPTION
 */
export function checkTopicName(name: string): void {
  const problem =
    name === ''
      ? 'the empty string is not allowed'
      : name === '.' || name === '..'
        ? "'.' and '..' are not allowed"
        : name.length > MAX_LENGTH
          ? `the length of ${name.length} is above the maximum of ${MAX_LENGTH}`
          : !/^[a-zA-Z0-9._-]+$/.test(name)
            ? "only letters, digits, '.', '_' and '-' are allowed"
            : undefined
  if (problem !== undefined) {
    throw new LogStorageError('INVALID_TOPIC_EXCEPTION', `Topic name is invalid: ${problem}.`)
  }
}

/** Whether two names would give metrics of the same name, where '.' and '_' are one: Kafka refuses the second. */
export function namesCollide(a: string, b: string): boolean {
  return a.replaceAll('.', '_') === b.replaceAll('.', '_')
}
