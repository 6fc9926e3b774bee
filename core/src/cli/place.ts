import { CliError, exitCodes } from './cli-error.ts'

/** A place in topics, as people name one. Times are milliseconds since the epoch. */
export type Place = 'earliest' | 'latest' | { readonly offset: number } | { readonly timestamp: number }

/** @throws CliError */
export function placeOf(option: string, text: string): Place {
  if (text === 'earliest' || text === 'latest') return text
  if (/^\d{1,15}$/.test(text)) return { offset: Number(text) }
  const timestamp = Date.parse(text)
  if (!Number.isNaN(timestamp)) return { timestamp }
  throw new CliError(
    `${option} ${text}: expected earliest, latest, an offset or a time (2026-01-31T12:00)`,
    exitCodes.usage,
  )
}
