import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RestClient } from '../rest-client/rest-client.ts'
import { CliError } from './cli-error.ts'
import { readConnectorFile, type GivenConfig } from './connector-files.ts'
import { awaitState, stateToKeep, type WaitOptions } from './connector-states.ts'
import type { Output } from './output.ts'
import { explained } from './rest-connection.ts'
import { harmless } from './table.ts'

/**
 * `connector edit`: opens the config in an editor, and sends the settings that were changed there. A secret is shown as a
 * mask, which is not sent where it was left alone.
 * @throws CliError where it is not taken; then what was written stays, and where is told
 */
export async function editConnector(
  rest: RestClient,
  out: Output,
  name: string,
  { waitMs, env = process.env }: WaitOptions & { readonly env?: Readonly<Record<string, string | undefined>> },
): Promise<void> {
  const path = { name }
  const before = await rest.call('GET /connectors/{name}/config', { path })
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-edit-'))
  const file = join(folder, 'connector.json')
  const shown = `${JSON.stringify({ ...before, name }, undefined, 2)}\n`
  await writeFile(file, shown)
  try {
    await openEditor(env['VISUAL'] ?? env['EDITOR'] ?? 'vi', file)
    if ((await readFile(file, 'utf8')) !== shown) {
      const changes = changesOf({ ...before, name }, await readConnectorFile(file))
      await rest.call('PATCH /connectors/{name}/config', { path, body: changes })
    }
  } catch (error) {
    const [failure, written] = [explained(error, rest), await readFile(file, 'utf8').catch(() => shown)]
    if (written === shown || !(failure instanceof CliError)) {
      await rm(folder, { recursive: true })
      throw failure
    }
    throw new CliError(
      `${failure.message}\nwhat you wrote is in ${file}: tidewire connector create ${file} --replace tries it again`,
      failure.exitCode,
      { cause: error },
    )
  }
  const isSame = (await readFile(file, 'utf8')) === shown
  await rm(folder, { recursive: true })
  if (!isSame && waitMs !== undefined) await awaitState(rest, out, name, await stateToKeep(rest, name), waitMs)
  const result = isSame ? 'unchanged' : 'updated'
  await out.show({ name, result }, () => `connector ${harmless(name)} is ${result}`)
}

/** By the shell, as git does: `code --wait`, for instance, is a command with an option. */
async function openEditor(editor: string, file: string): Promise<void> {
  const running = spawn('sh', ['-c', `${editor} "$0"`, file], { stdio: 'inherit' })
  const [code] = (await once(running, 'close')) as [number | null]
  if (code !== 0) throw new CliError(`the editor (${editor}) failed, and nothing is changed: set VISUAL or EDITOR`)
}

/** Null for a setting that is gone. @throws CliError */
function changesOf(
  before: Readonly<Record<string, string>>,
  { name, config }: { readonly name: string; readonly config: GivenConfig },
): Record<string, string | null> {
  if (name !== before['name']) throw new CliError(`a connector keeps its name: ${before['name']}, not ${name}`)
  const changed = Object.entries(config).flatMap(([setting, value]) =>
    before[setting] === String(value) ? [] : [[setting, String(value)] as const],
  )
  const gone = Object.keys(before).flatMap((setting) =>
    Object.hasOwn(config, setting) ? [] : [[setting, null] as const],
  )
  return Object.fromEntries([...changed, ...gone])
}
