import { defineSink, RetriableError, type SinkRecord } from '@tidewire/sdk'
import { config } from './config.ts'

export const exampleSink = defineSink({
  name: 'example-sink',
  doc: 'Sends records to a web service.',
  config,
  write: ({ config, signal }) => ({
    // When this returns, the service has the records; so there is nothing left for a flush to do.
    async put(records) {
      if (records.length === 0) return
      const limit = AbortSignal.any([signal, AbortSignal.timeout(config['request.timeout.ms'])])
      const answer = await send(config.url, records, limit)
      if (answer.ok) return
      // The worker gives the same batch again after a pause …
      if (answer.status >= 500 || answer.status === 429) throw new RetriableError(`${config.url}: ${answer.status}`)
      // … and treats what will never do by errors.tolerance: it fails the task, or goes to the dead letter topic.
      const error = new Error(`${config.url} refuses the batch: ${answer.status}`)
      return { rejected: records.map((record) => ({ record, error })) }
    },
  }),
})

async function send(url: string, records: readonly SinkRecord[], signal: AbortSignal): Promise<Response> {
  const body = records.map(({ topic, partition, offset, key, value }) => ({ topic, partition, offset, key, value }))
  try {
    return await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal,
    })
  } catch (error) {
    throw new RetriableError(`${url} does not answer: ${String(error)}`, { cause: error })
  }
}
