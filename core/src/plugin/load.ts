/** Loads plugin code. For host and scan threads only: the main thread never runs plugin code. */
import { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ConverterDefinition, Plugin, Sink, Source } from '@tidewire/sdk'
import type { PluginRef } from './manifest.ts'
import { registerSdkResolution } from './sdk-resolution.ts'

/** @throws Error when the module cannot be loaded any more, or has no such connector */
export async function loadConnector(ref: PluginRef): Promise<Source | Sink> {
  const connector = (await loadPlugin(ref)).connectors?.find(({ name }) => name === ref.name) as
    Source | Sink | undefined
  if (connector === undefined) throw new Error(`plugin module ${ref.module} has no connector '${ref.name}'`)
  return connector
}

/** @throws Error when the module cannot be loaded any more, or has no such converter */
export async function loadConverter(ref: PluginRef): Promise<ConverterDefinition> {
  const converter = (await loadPlugin(ref)).converters?.find(({ name }) => name === ref.name) as
    ConverterDefinition | undefined
  if (converter === undefined) throw new Error(`plugin module ${ref.module} has no converter '${ref.name}'`)
  return converter
}

async function loadPlugin(ref: PluginRef): Promise<Plugin> {
  registerSdkResolution()
  if (!loaded.has(ref.module)) forgetCommonJs(ref.module)
  const module = (await import(ref.module)) as { default?: Plugin }
  if (module.default === undefined) throw new Error(`plugin module ${ref.module} has no default export`)
  loaded.add(ref.module)
  return module.default
}

const loaded = new Set<string>()
const { cache } = createRequire(import.meta.url)

/** CommonJS modules are cached by file name, so that the stamp on the URL alone would not bring in a newer version. */
function forgetCommonJs(module: string): void {
  const folder = dirname(fileURLToPath(module)) + sep
  for (const file of Object.keys(cache)) {
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- Node's way to unload a CommonJS module
    if (file.startsWith(folder) && !file.includes(`${sep}node_modules${sep}`)) delete cache[file]
  }
}
