import { frameworkSettings } from '../config/connector-settings.ts'
import type { ConfigKey } from '../rest-client/operations.ts'
import type { RestClient } from '../rest-client/rest-client.ts'
import type { Output } from './output.ts'
import { harmless } from './table.ts'

/**
 * `plugin list`
 * @param all converters, transforms and predicates too
 */
export async function listPlugins(rest: RestClient, out: Output, all: boolean): Promise<void> {
  const plugins = await rest.call('GET /connector-plugins', { query: { connectorsOnly: !all } })
  await out.show(plugins, () =>
    out.table(
      ['NAME', 'TYPE', 'VERSION', 'CLASS'],
      plugins.map((each) => [
        each.name,
        each.type,
        each.version ?? '–',
        each.error === undefined ? each.class : `not loaded: ${each.error} (${each.location ?? ''})`,
      ]),
      { TYPE: (type) => (type === 'unknown' ? 'red' : undefined) },
    ),
  )
}

/** `plugin describe`: the settings as a table, those that have to be set first. */
export async function describePlugin(
  rest: RestClient,
  out: Output,
  plugin: string,
  { version, own }: { readonly version?: string | undefined; readonly own: boolean },
): Promise<void> {
  const query = version === undefined ? {} : { version }
  const all = await rest.call('GET /connector-plugins/{plugin}/config', { path: { plugin }, query })
  // What is no connector has its own alone, of whatever names.
  const isConnector = all.some(({ name }) => name === 'connector.class')
  const settings = own && isConnector ? all.filter(({ name }) => !framework.has(name)) : all
  await out.show(settings, () =>
    out.table(
      ['SETTING', 'TYPE', 'DEFAULT', 'IMPORTANCE', 'WHAT IT DOES'],
      [...settings]
        .sort(requiredFirst)
        .map(({ name, type, required, default_value: preset, importance, documentation }) => [
          name,
          type.toLowerCase(),
          required ? 'required' : harmless(preset ?? '–'),
          importance.toLowerCase(),
          documentation,
        ]),
      { DEFAULT: (text) => (text === 'required' ? 'yellow' : undefined) },
    ),
  )
}

const requiredFirst = (a: ConfigKey, b: ConfigKey): number => Number(b.required) - Number(a.required)

/** Settings that every connector has. */
const framework: ReadonlySet<string> = new Set(
  (['source', 'sink'] as const).flatMap((type) => Object.keys(frameworkSettings(type))),
)
