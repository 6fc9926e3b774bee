/** Loads plugin code. For host and scan threads only: the main thread never runs plugin code. */
import { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ConverterDefinition, Plugin, PredicateDefinition, Sink, Source, TransformDefinition } from '@tidewire/sdk'
import type { PluginRef } from './manifest.ts'
import { registerSdkResolution } from './sdk-resolution.ts'

/** @throws Error when the module cannot be loaded any more, or has no such connector */
export async function loadConnector(ref: PluginRef): Promise<Source | Sink> {
  return partOf(ref, 'connector', (await loadPlugin(ref)).connectors)
}

/** @throws Error when the module cannot be loaded any more, or has no such converter */
export async function loadConverter(ref: PluginRef): Promise<ConverterDefinition> {
  return partOf(ref, 'converter', (await loadPlugin(ref)).converters)
}

/** @throws Error when the module cannot be loaded any more, or has no such transform */
export async function loadTransform(ref: PluginRef): Promise<TransformDefinition> {
  return partOf(ref, 'transform', (await loadPlugin(ref)).transforms)
}

/** @throws Error when the module cannot be loaded any more, or has no such predicate */
export async function loadPredicate(ref: PluginRef): Promise<PredicateDefinition> {
  return partOf(ref, 'predicate', (await loadPlugin(ref)).predicates)
}

function partOf<T extends { readonly name: string }>(
  { module, name }: PluginRef,
  kind: string,
  parts: readonly T[] | undefined,
): T {
  const part = parts?.find((each) => each.name === name)
  if (part === undefined) throw new Error(`plugin module ${module} has no ${kind} '${name}'`)
  return part
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
