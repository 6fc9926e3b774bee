import type { BulkChange, BulkResult } from '../rest-client/operations.ts'
import type { RestClient } from '../rest-client/rest-client.ts'
import { CliError, exitCodes } from './cli-error.ts'
import { readConnectorFiles, type ConnectorFile } from './connector-files.ts'
import { awaitState, stateToKeep, type WaitOptions } from './connector-states.ts'
import type { Output } from './output.ts'
import { harmless } from './table.ts'

export interface ApplyOptions extends WaitOptions {
  /** Whether connectors that are in none of the files are deleted. */
  readonly deletes: boolean
}

/** `connector apply`: makes the connectors what the files say. @throws CliError, with nothing changed, where one is wrong */
export async function applyConnectors(
  rest: RestClient,
  out: Output,
  paths: readonly string[],
  { deletes, waitMs }: ApplyOptions,
): Promise<void> {
  const files = await readFiles(paths)
  const result = await put(rest, out, files, deletes, false)
  if (waitMs !== undefined) {
    for (const { name, initialState = 'RUNNING' } of files) {
      const { action } = result.connectors[name]!
      if (action === 'unchanged') continue
      const wanted = action === 'create' ? initialState : await stateToKeep(rest, name)
      await awaitState(rest, out, name, wanted, waitMs)
    }
  }
  await out.show(result, () => changesText(out, result, { create: 'created', update: 'updated', delete: 'deleted' }))
}

/**
 * `connector diff`: what `apply` would do.
 * @throws CliError where a config is wrong; with an exit code of its own where there is something to do
 */
export async function diffConnectors(
  rest: RestClient,
  out: Output,
  paths: readonly string[],
  { deletes }: Pick<ApplyOptions, 'deletes'>,
): Promise<void> {
  const result = await put(rest, out, await readFiles(paths), deletes, true)
  await out.show(result, () =>
    changesText(out, result, { create: 'to create', update: 'to update', delete: 'to delete' }),
  )
  const changes = Object.values(result.connectors)
  const wrong = changes.filter(({ errors = {} }) => Object.keys(errors).length > 0).length
  if (wrong > 0) throw new CliError(`${wrong} configs are wrong: apply would change nothing`)
  const different = changes.filter(({ action }) => action !== 'unchanged').length
  if (different > 0) throw new CliError(`${different} connectors are not what the files say`, exitCodes.different)
}

async function readFiles(paths: readonly string[]): Promise<ConnectorFile[]> {
  const files = await readConnectorFiles(paths)
  if (files.length === 0) throw new CliError(`there are no connectors in ${paths.join(', ')}`)
  return files
}

async function put(
  rest: RestClient,
  out: Output,
  files: readonly ConnectorFile[],
  deletes: boolean,
  dryRun: boolean,
): Promise<BulkResult> {
  out.progress(`${dryRun ? 'comparing' : 'applying'} ${files.length} connectors`)
  const body = Object.fromEntries(
    files.map(({ name, config, initialState }) => [
      name,
      initialState === undefined ? config : { config, initial_state: initialState },
    ]),
  )
  const result = await rest.call('PUT /connectors', { query: { delete: deletes, dryRun }, body })
  out.settle()
  return result
}

const signs = {
  create: ['+', 'green'],
  update: ['~', 'yellow'],
  delete: ['-', 'red'],
  unchanged: ['=', 'dim'],
} as const

function changesText(
  out: Output,
  { connectors }: BulkResult,
  words: Readonly<Record<'create' | 'update' | 'delete', string>>,
): string {
  const entries = Object.entries(connectors)
  const blocks = entries.flatMap(([name, change]) => (isQuiet(change) ? [] : [changeText(out, name, change)]))
  const counts = Map.groupBy(entries, ([, { action }]) => action)
  const summary = [...counts]
    .map(([action, { length }]) => `${length} ${action === 'unchanged' ? action : words[action]}`)
    .join(', ')
  return [...blocks, summary].join('\n')
}

const isQuiet = ({ action, errors = {} }: BulkChange): boolean =>
  action === 'unchanged' && Object.keys(errors).length === 0

function changeText(out: Output, name: string, { action, changes = {}, errors = {} }: BulkChange): string {
  const [sign, style] = signs[action]
  const value = (text: string | null): string => (text === null ? '–' : harmless(text))
  const shown = Object.entries(changes).filter(([setting]) => setting !== 'name')
  const settings = shown.map(([setting, { from, to }]) =>
    from === null
      ? `    ${harmless(setting)}: ${value(to)}`
      : `    ${harmless(setting)}: ${value(from)} → ${value(to)}`,
  )
  const wrong = Object.values(errors).flatMap((each) => each.map((error) => `    ${out.paint('red', harmless(error))}`))
  return [`${out.paint(style, sign)} ${out.paint('bold', harmless(name))}`, ...settings, ...wrong].join('\n')
}
