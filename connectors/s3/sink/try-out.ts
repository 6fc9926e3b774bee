import { randomUUID } from 'node:crypto'
import { ConfigError, type ConfigProblems, type Logger } from '@tidewire/sdk'
import { openS3 } from '../link/connect.ts'
import type { S3SinkConfig } from './settings.ts'
import { ObjectStore } from './store.ts'
import { writeOptions } from './write-options.ts'

/**
 * Whether the bucket is there, in that region, and lets one write: by an upload that is begun under topics.dir and aborted, which
 * leaves no object.
 */
export async function tryOut(
  config: S3SinkConfig,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Logger },
): Promise<ConfigProblems> {
  const link = openS3({ ...config, 's3.part.retries': 0 }, signal, log)
  try {
    const store = new ObjectStore(link, writeOptions(config))
    const folder = config['topics.dir'] === '' ? '' : config['topics.dir'] + config['directory.delim']
    const probe = {
      key: `${folder}tidewire-probe-${randomUUID()}`,
      contentType: 'application/octet-stream',
      metadata: {},
      ifAbsent: false,
    }
    await store.abortUpload(probe.key, await store.createUpload(probe, signal), signal)
    return {}
  } catch (error) {
    const setting = error instanceof ConfigError ? (error.setting ?? 's3.bucket.name') : 's3.bucket.name'
    return { [setting]: (error as Error).message }
  } finally {
    link.close()
  }
}
