/**
 * AWS's SQS and S3 for tests of notifications: moto, from Python's package index, fetched once and kept. Its S3 checks
 * little, so that it serves for what the real server of s3.ts has not: buckets that send notifications to queues.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { endWithTest } from './end-with-test.ts'
import { missingProgram } from './programs.ts'
import { pythonLibs } from './python-clients.ts'
import { freePorts } from './tidewire.ts'
import { until } from './until.ts'

/** What its two services need; fetched before the tests in CI. */
export const fetchSqs = (): Promise<string> => pythonLibs(packages)

const packages = ['moto==5.2.5', 'flask==3.1.3', 'flask-cors==6.0.5', 'PyYAML==6.0.3', 'py-partiql-parser==0.6.3']

export interface TestSqs {
  /** Of all its services. */
  readonly endpoint: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly region: string
  close(): Promise<void>
}

/** Why there is none on this machine; undefined where there is one. */
export function sqsMissing(): Promise<string | undefined> {
  return missingProgram(['python3', '--version'], ['python3', '-m', 'pip', '--version'])
}

export async function startSqs(): Promise<TestSqs> {
  const libs = await fetchSqs()
  const [port] = (await freePorts(1)) as [number]
  const child = spawn('python3', ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PYTHONPATH: libs, PYTHONDONTWRITEBYTECODE: '1' },
  })
  endWithTest(child)
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-10_000)))
  const endpoint = `http://127.0.0.1:${port}`
  await until(
    `moto to answer at ${endpoint}`,
    async () => {
      if (child.exitCode !== null) throw new Error(`moto ended with ${child.exitCode}\n${output}`)
      return fetch(`${endpoint}/moto-api/data.json`).then(
        (response) => response.ok,
        () => false,
      )
    },
    120_000,
  )
  return {
    endpoint,
    credentials: { accessKeyId: 'testaccess', secretAccessKey: 'testsecret' },
    region: 'us-east-1',
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
