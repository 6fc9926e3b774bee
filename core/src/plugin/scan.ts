import { Worker } from 'node:worker_threads'
import type { PluginManifest } from './manifest.ts'
import type { ScanMessage } from './scan-thread.ts'
import { messageOf } from '../logging/message-of.ts'

/** What came of reading one module's manifest. */
export type ScanResult =
  | { readonly manifest: PluginManifest }
  | { readonly reason: string; /** It may have been slowness: worth another try. */ readonly timedOut?: true }

// A folder of many plugins must not start a thread for each at the same time.
const maxThreads = 8
let threads = 0
const waiting: (() => void)[] = []

/**
 * Imports plugin modules in a thread of their own, one after the other, and returns what each says about itself, by
 * module. Never throws: a module that throws, exits, runs out of memory or hangs gets the reason instead of a manifest.
 */
export async function scanModules(modules: readonly string[], timeoutMs: number): Promise<Map<string, ScanResult>> {
  if (threads >= maxThreads) await new Promise<void>((resolve) => waiting.push(resolve))
  threads++
  try {
    return await scanInThread(modules, timeoutMs)
  } finally {
    threads--
    waiting.shift()?.()
  }
}

async function scanInThread(modules: readonly string[], timeoutMs: number): Promise<Map<string, ScanResult>> {
  const results = new Map<string, ScanResult>()
  const failure = await new Promise<ScanResult | undefined>((resolve) => {
    const thread = new Worker(new URL('./scan-thread.ts', import.meta.url), {
      name: 'plugin-scan',
      workerData: modules,
      execArgv: [],
      // What a plugin prints on import must not end up among the worker's own output.
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    })
    thread.stdout.resume()
    thread.stderr.resume()
    const timer = setTimeout(() => {
      resolve({ reason: `did not load within ${timeoutMs / 1000} s`, timedOut: true })
      void thread.terminate()
    }, timeoutMs)
    thread.on('message', (message: ScanMessage) => {
      results.set(message.module, resultOf(message))
      if (results.size < modules.length) return
      resolve(undefined)
      void thread.terminate()
    })
    thread.on('error', (error) => resolve({ reason: `failed while it was loaded: ${messageOf(error)}` }))
    thread.on('exit', (code) => {
      clearTimeout(timer)
      resolve({ reason: `ended its thread while it was loaded (exit code ${code})` })
    })
  })
  for (const module of modules) {
    if (failure !== undefined && !results.has(module)) results.set(module, failure)
  }
  return results
}

function resultOf({ manifest, error }: ScanMessage): ScanResult {
  if (manifest !== undefined) return { manifest }
  if (error?.code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING') {
    return {
      reason:
        'its entry is TypeScript under a node_modules folder, where Node runs JavaScript only: publish it compiled, or name a folder outside node_modules in plugin.path',
    }
  }
  return { reason: error?.message ?? 'gave no manifest' }
}
