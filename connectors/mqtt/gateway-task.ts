import { ConfigError, type SourceBatch, type SourceTaskContext } from '@tidewire/sdk'
import type { GatewayConfig } from './gateway-config.ts'
import { Gateway } from './gateway.ts'
import { IngestQueue } from './ingest-queue.ts'
import { readTlsFiles } from './tls-files.ts'

/** One device alone cannot take more than this part of the room, so that the others are heard too. */
const deviceShares = 4
/** How long to wait, on a stop, for the log to acknowledge what was taken. */
const settleTimeoutMs = 3000

/** The gateway's task: listens, and yields what devices publish until it is stopped. */
export async function* readGateway(context: SourceTaskContext<GatewayConfig>): AsyncGenerator<SourceBatch> {
  const { config, signal, preview } = context
  if (preview) {
    throw new ConfigError(
      'the gateway cannot be previewed: devices would take it for the real one, and what they publish would be lost; preview an mqtt-source on the broker that they use now, or watch the topics of a running gateway',
    )
  }
  const tls = config['mqtt.ssl.certificate.path'] === undefined ? undefined : await readTlsFiles(config)
  const queue = new IngestQueue(context, deviceShares)
  const gateway = new Gateway(context, queue, tls)
  const stop = (): void => {
    gateway.stopReading()
    queue.end()
  }
  signal.addEventListener('abort', stop)
  try {
    await gateway.listen(signal)
    if (signal.aborted) stop()
    yield* queue.batches()
    // Those whose messages are safe hear of it before they are sent away, and so do not send them again.
    await queue.whenSettled(settleTimeoutMs)
  } finally {
    signal.removeEventListener('abort', stop)
    await gateway.close()
  }
}
