import type { RestClient } from '../rest-client/rest-client.ts'
import { CliError } from './cli-error.ts'
import type { Output } from './output.ts'

/** `cluster workers` */
export async function listWorkers(rest: RestClient, out: Output): Promise<void> {
  const workers = await rest.call('GET /admin/workers')
  await out.show(workers, () =>
    out.table(
      ['WORKER', 'URL', 'LEADS', 'CONNECTORS', 'TASKS', 'STATE'],
      workers.map((each) => [
        each.worker_id,
        each.url,
        each.leader ? 'yes' : 'no',
        each.connectors,
        each.tasks,
        each.away_until === undefined ? (each.draining ? 'draining' : 'there') : `away until ${each.away_until}`,
      ]),
      { STATE: (state) => (state === 'there' ? 'green' : 'yellow') },
    ),
  )
}

/** `cluster reencrypt`. @throws CliError where some could not be read: what was done is shown all the same */
export async function reencrypt(rest: RestClient, out: Output): Promise<void> {
  const done = await rest.call('PUT /admin/reencrypt')
  await out.show(done, () =>
    out.table(['CONNECTOR', 'SECRETS'], Object.entries(done), {
      SECRETS: (what) => (what === 'unreadable' ? 'red' : what === 'reencrypted' ? 'green' : undefined),
    }),
  )
  const unreadable = Object.entries(done).flatMap(([name, what]) => (what === 'unreadable' ? [name] : []))
  if (unreadable.length === 0) return
  throw new CliError(
    `secrets of ${unreadable.join(', ')} are encrypted with a key that the leader does not have: give it that key (config.storage.encryption.key), or set them anew`,
  )
}

/** `cluster drain`: the worker asked hands its work to the others; waits until none is left. */
export async function drainWorker(rest: RestClient, out: Output, waitMs: number): Promise<void> {
  const deadline = performance.now() + waitMs
  for (;;) {
    out.progress(`handing the work of ${rest.url} to the others`)
    const signal = AbortSignal.timeout(Math.max(1, Math.ceil(deadline - performance.now())))
    const left = await rest.call('PUT /admin/drain', { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error
      throw new CliError(`${rest.url} is not drained after ${waitMs / 1000} s: see tidewire cluster workers`)
    })
    if (left === undefined) break
    out.progress(`${left.connectors} connectors and ${left.tasks} tasks left`)
  }
  await out.show({ url: rest.url, drained: true }, () => `${rest.url} has handed all its work over`)
}
