import type { Settings } from './config.ts'
import type { Sink, Source } from './connector.ts'
import type { ConverterDefinition } from './converter.ts'
import type { PredicateDefinition, TransformDefinition } from './transform.ts'

/* eslint-disable @typescript-eslint/no-explicit-any -- a list of definitions, each with settings of its own */
/** What one package gives: the default export of its entry module. */
export interface Plugin {
  readonly name: string
  readonly version: string
  readonly connectors?: readonly (Source<any> | Sink<any>)[]
  readonly converters?: readonly ConverterDefinition<any>[]
  readonly transforms?: readonly TransformDefinition<any>[]
  readonly predicates?: readonly PredicateDefinition<any>[]
}
/* eslint-enable @typescript-eslint/no-explicit-any */

const shortName = /^[a-z0-9]+(-[a-z0-9]+)*$/

/**
 * Declares what a package gives. Keep the entry module light: it is loaded to list and validate; import a heavy
 * driver inside `read` or `write` (`await import('./source-task.ts')`).
 * @throws TypeError where a name is not lower-case words joined by hyphens, or is given twice
 */
export function definePlugin(plugin: Plugin): Plugin {
  const seen = new Set<string>()
  const parts: readonly { name: string; config: Settings }[] = [
    ...(plugin.connectors ?? []),
    ...(plugin.converters ?? []),
    ...(plugin.transforms ?? []),
    ...(plugin.predicates ?? []),
  ] as readonly { name: string; config: Settings }[]
  for (const { name } of parts) {
    if (!shortName.test(name))
      throw new TypeError(`plugin ${plugin.name}: '${name}' is not lower-case words and hyphens`)
    if (seen.has(name)) throw new TypeError(`plugin ${plugin.name}: '${name}' is declared twice`)
    seen.add(name)
  }
  return plugin
}
