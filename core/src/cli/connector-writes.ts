import type { RestClient } from '../rest-client/rest-client.ts'
import { CliError, exitCodes } from './cli-error.ts'
import { readConnectorFile, type GivenConfig } from './connector-files.ts'
import { awaitState, stateToKeep, type WaitOptions } from './connector-states.ts'
import { explained } from './rest-connection.ts'
import type { Output } from './output.ts'
import { harmless } from './table.ts'

export interface CreateOptions extends WaitOptions {
  /** Settings beside those of the file, which they win over. */
  readonly settings: GivenConfig
  readonly initialState?: 'RUNNING' | 'PAUSED' | 'STOPPED' | undefined
  /** Whether one that is there is given the config. */
  readonly replace: boolean
}

/** `connector create` from a file, or of a name with settings. */
export async function createConnector(
  rest: RestClient,
  out: Output,
  given: { readonly file?: string | undefined; readonly name?: string | undefined },
  { settings, initialState, replace, waitMs }: CreateOptions,
): Promise<void> {
  if (replace && initialState !== undefined) {
    throw new CliError(
      '--initial-state is for a connector that is new, and does not go with --replace',
      exitCodes.usage,
    )
  }
  const file = given.file === undefined ? undefined : await readConnectorFile(given.file)
  const name = given.name ?? file?.name
  if (name === undefined) throw new CliError('give a file, or --name and --set', exitCodes.usage)
  const config = { ...file?.config, ...settings, name }
  const state = replace ? undefined : (initialState ?? file?.initialState)
  const info = replace
    ? await rest.call('PUT /connectors/{name}/config', { path: { name }, body: config })
    : await rest.call('POST /connectors', { body: { name, config, ...(state && { initial_state: state }) } })
  if (waitMs !== undefined) {
    await awaitState(rest, out, name, replace ? await stateToKeep(rest, name) : (state ?? 'RUNNING'), waitMs)
  }
  await out.show(info, () => `connector ${harmless(name)} is ${replace ? 'as given' : 'created'}`)
}

const targetStates = { pause: 'PAUSED', resume: 'RUNNING', stop: 'STOPPED' } as const

/** `connector pause`, `resume` and `stop`, of several at once. */
export async function setStates(
  rest: RestClient,
  out: Output,
  action: keyof typeof targetStates,
  names: readonly string[],
  { waitMs }: WaitOptions,
): Promise<void> {
  await each(rest, out, names, targetStates[action].toLowerCase(), async (name) => {
    await rest.call(`PUT /connectors/{name}/${action}`, { path: { name } })
    if (waitMs !== undefined) await awaitState(rest, out, name, targetStates[action], waitMs)
  })
}

export interface RestartOptions {
  readonly task?: number | undefined
  readonly onlyFailed: boolean
  readonly connectorOnly: boolean
}

/** `connector restart`: unlike Kafka Connect's request without parameters, with its tasks unless told otherwise. */
export async function restartConnectors(
  rest: RestClient,
  out: Output,
  names: readonly string[],
  { task, onlyFailed, connectorOnly }: RestartOptions,
): Promise<void> {
  await each(rest, out, names, 'restarting', async (name) => {
    if (task !== undefined) {
      await rest.call('POST /connectors/{name}/tasks/{task}/restart', { path: { name, task } })
      return
    }
    const query = { includeTasks: !connectorOnly, onlyFailed }
    await rest.call('POST /connectors/{name}/restart', { path: { name }, query })
  })
}

/** `connector delete` */
export async function deleteConnectors(rest: RestClient, out: Output, names: readonly string[]): Promise<void> {
  await each(rest, out, names, 'deleted', async (name) => {
    await rest.call('DELETE /connectors/{name}', { path: { name } })
  })
}

/** Each waits for the log, mostly. */
const writesAtATime = 8

/** Goes on with the others where one fails. @throws CliError the first failure, when all have been tried */
async function each(
  rest: RestClient,
  out: Output,
  names: readonly string[],
  result: string,
  work: (name: string) => Promise<void>,
): Promise<void> {
  const ends: ({ readonly error?: unknown } | undefined)[] = []
  let begun = 0
  const run = async (): Promise<void> => {
    while (begun < names.length) {
      const index = begun++
      const name = names[index]!
      out.progress(`${index} of ${names.length}: ${name}`)
      try {
        await work(name)
        ends[index] = {}
        if (!out.json) await out.line(`connector ${harmless(name)} is ${result}`)
      } catch (error) {
        ends[index] = { error: explained(error, rest) }
      }
    }
  }
  await Promise.all(Array.from({ length: writesAtATime }, run))
  const failures = names.flatMap((name, index) => ('error' in ends[index]! ? [{ name, error: ends[index].error }] : []))
  const done = names.flatMap((name, index) => ('error' in ends[index]! ? [] : [{ name, result }]))
  if (out.json) await out.show(done, () => '')
  for (const { name, error } of failures.slice(1)) {
    out.warn(`${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (failures.length > 0) throw failures[0]!.error
}
