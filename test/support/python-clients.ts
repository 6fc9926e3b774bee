/** Kafka clients of Python, from its package index: each scenario is a function of a script beside this file. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cacheFolder } from './kafka.ts'
import { missingProgram } from './programs.ts'

const run = promisify(execFile)

const kafkaClients = ['confluent-kafka==2.16.1', 'kafka-python[lz4,snappy,zstd]==3.0.12']

/** Why there are no Python clients to test with on this machine; undefined where they can be had. */
export function pythonMissing(): Promise<string | undefined> {
  return missingProgram(['python3', '--version'], ['python3', '-m', 'pip', '--version'])
}

/** Runs one scenario to its end and gives what it found. `address` is the log's, or the worker's URL. */
export type Scenario = (script: string, scenario: string, address: string) => Promise<unknown>

/** The clients are fetched once and kept. @param packages which, and of what version */
export async function pythonClients(packages: readonly string[] = kafkaClients): Promise<Scenario> {
  const libs = await pythonLibs(packages)
  return async (script, scenario, address) => {
    const file = fileURLToPath(new URL(`python/${script}`, import.meta.url))
    const env = { ...process.env, PYTHONPATH: libs, PYTHONDONTWRITEBYTECODE: '1' }
    const { stdout } = await run('python3', [file, scenario, address], { env, timeout: 150_000 })
    return JSON.parse(stdout) as unknown
  }
}

/** Where packages are installed that Python finds there. Fetched once and kept. */
export async function pythonLibs(packages: readonly string[]): Promise<string> {
  // What is installed fits the version of Python that installed it.
  const { stdout } = await run('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'])
  const cache = cacheFolder()
  const libs = join(cache, `python-${stdout.trim()}-${packages.join('-').replaceAll(/[^\w.-]+/g, '-')}`)
  if (existsSync(libs)) return libs
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, 'fetching-'))
  await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', work, ...packages])
  // Whoever else fetched it meanwhile was as good.
  await rename(work, libs).catch(() => rm(work, { recursive: true, force: true }))
  return libs
}
