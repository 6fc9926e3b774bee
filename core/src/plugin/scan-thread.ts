/**
 * Entry of the short-lived thread that imports plugin modules to read their manifests. Whatever a module does on import
 * (throw, exit, hang, leave timers behind) ends with this thread.
 */
import { fileURLToPath } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { manifestOf, type PluginManifest } from './manifest.ts'
import { registerSdkResolution } from './sdk-resolution.ts'

export interface ScanMessage {
  readonly module: string
  readonly manifest?: PluginManifest
  readonly error?: { readonly code?: string; readonly message: string }
}

registerSdkResolution()
for (const module of workerData as readonly string[]) {
  parentPort!.postMessage(await read(module))
}
parentPort!.close()

async function read(module: string): Promise<ScanMessage> {
  try {
    return { module, manifest: manifestOf(await import(module)) }
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown }
    // Where in the file, only Node's own report of an uncaught error tells.
    const hint = error instanceof SyntaxError ? `; node --check ${fileURLToPath(module)} shows where` : ''
    return {
      module,
      error: {
        ...(typeof code === 'string' ? { code } : {}),
        message: typeof message === 'string' ? `${message}${hint}` : String(error),
      },
    }
  }
}
