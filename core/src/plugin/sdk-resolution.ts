import { registerHooks, type ResolveFnOutput } from 'node:module'

let registered = false

/**
 * Makes plugins outside this repository load in the calling thread. Called once a thread, before the first import of a
 * plugin; calling it again does nothing.
 *
 * - `@tidewire/sdk` resolves to the bundled SDK where the plugin's own folder does not have it.
 * - A version stamp on the entry module's URL (`?v=…`) is handed on to the plugin's other files. Without it, a thread
 *   that has loaded an older version would get those files from its module cache.
 */
export function registerSdkResolution(): void {
  if (registered) return
  registered = true
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = resolveWithSdk(specifier, () => nextResolve(specifier, context))
      const stamp = context.parentURL?.startsWith('file:') ? new URL(context.parentURL).searchParams.get('v') : null
      if (stamp === null || !/^\.{0,2}\//.test(specifier) || !resolved.url.startsWith('file:')) return resolved
      const url = new URL(resolved.url)
      if (!url.searchParams.has('v')) url.searchParams.set('v', stamp)
      return { ...resolved, url: url.href }
    },
  })
}

function resolveWithSdk(specifier: string, resolve: () => ResolveFnOutput): ResolveFnOutput {
  try {
    return resolve()
  } catch (error) {
    if (specifier !== '@tidewire/sdk' && !specifier.startsWith('@tidewire/sdk/')) throw error
    return { url: import.meta.resolve(specifier), shortCircuit: true }
  }
}
