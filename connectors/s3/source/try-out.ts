import { ConfigError, type ConfigProblems, type Logger } from '@tidewire/sdk'
import { openS3 } from '../link/connect.ts'
import { Bucket } from './bucket.ts'
import { nameReader } from './object-names.ts'
import { readPrefix, type S3SourceConfig } from './settings.ts'

/** Objects that are looked at for one that would be read. */
const looked = 1_000

/** Whether the bucket can be listed, and an object of it read. That there is none yet is no problem. */
export async function tryReading(
  config: S3SourceConfig,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Logger },
): Promise<ConfigProblems> {
  const link = openS3(config, signal, log)
  const bucket = new Bucket(link, signal, config)
  try {
    const readName = nameReader(config)
    const first = await bucket.list(readPrefix(config)).next()
    const page = first.done === true ? [] : first.value
    const object = page.find((each) => each.size > 0 && readName(each) !== undefined)
    if (object !== undefined) await bucket.open(object).range(0, 1)
    else if (page.length > 0 && page.length < looked) {
      return { 'topics.dir': `of the ${page.length} objects under ${readPrefix(config)} none has a name that is read` }
    }
    if (config['sqs.queue.url'] !== undefined) await (await import('./queue.ts')).lookAtQueue(config, signal, log)
    return {}
  } catch (error) {
    const setting = error instanceof ConfigError ? error.setting : undefined
    return { [setting ?? 's3.bucket.name']: (error as Error).message }
  } finally {
    link.close()
  }
}
