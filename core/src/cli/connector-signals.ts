import type { RestClient } from '../rest-client/rest-client.ts'
import { CliError, exitCodes } from './cli-error.ts'
import type { Output } from './output.ts'
import { harmless } from './table.ts'

export interface SignalOptions {
  /** JSON of an object. */
  readonly data?: string | undefined
  readonly id?: string | undefined
}

/** `connector signal` */
export async function signalConnector(
  rest: RestClient,
  out: Output,
  name: string,
  type: string,
  { data, id }: SignalOptions,
): Promise<void> {
  const body = { type, ...(id === undefined ? {} : { id }), ...(data === undefined ? {} : { data: dataOf(data) }) }
  const sent = await rest.call('POST /connectors/{name}/signals', { path: { name }, body })
  await out.show(sent, () => `signal ${harmless(sent.id)} is sent to connector ${harmless(name)}`)
}

/** @throws CliError */
function dataOf(text: string): Record<string, unknown> {
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch {
    data = undefined
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw new CliError(`--data must be a JSON object, as '{"data-collections": ["public.orders"]}'`, exitCodes.usage)
  }
  return data as Record<string, unknown>
}
