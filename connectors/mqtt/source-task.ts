import type { SourceBatch, SourceTaskContext } from '@tidewire/sdk'
import { BrokerSubscriber } from './broker-subscriber.ts'
import { IngestQueue } from './ingest-queue.ts'
import type { SourceConfig } from './source-config.ts'
import { readTlsFiles } from './tls-files.ts'

/** How long to wait, on a stop, for the log to acknowledge what was taken. */
const settleTimeoutMs = 3000

/** The source's task: yields what the broker delivers until it is stopped. The session stays on the broker. */
export async function* readSource(context: SourceTaskContext<SourceConfig>): AsyncGenerator<SourceBatch> {
  const queue = new IngestQueue(context)
  const subscriber = new BrokerSubscriber(context, queue, await readTlsFiles(context.config))
  const stop = (): void => {
    subscriber.stopReading()
    queue.end()
  }
  context.signal.addEventListener('abort', stop)
  if (context.signal.aborted) stop()
  const running = subscriber.run().catch((error: unknown) => {
    queue.fail(error instanceof Error ? error : new Error(String(error)))
  })
  try {
    yield* queue.batches()
    await queue.whenSettled(settleTimeoutMs)
  } finally {
    context.signal.removeEventListener('abort', stop)
    await subscriber.close()
    await running
  }
}
