import mqtt from 'mqtt'

/** What a device was told: the sequence numbers whose PUBACK it got, in the order they were published. */
export interface Device {
  readonly id: string
  readonly acknowledged: readonly number[]
  /** Publishes the next `count` readings, QoS 1, and waits for each PUBACK; several are under way at once. */
  publish(count: number): Promise<void>
  /** Goes on publishing until `stop`, whatever happens to the connection. */
  publishUntilStopped(): void
  stop(): Promise<void>
}

/**
 * A device that publishes `{"device", "seq"}` to `sensors/<id>/reading` over a real MQTT connection. mqtt.js publishes
 * again what had no PUBACK when the connection broke, so a reading may arrive twice but none is skipped.
 */
export async function connectDevice(id: string, port: number): Promise<Device> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    clientId: id,
    clean: false,
    reconnectPeriod: 50,
    connectTimeout: 5000,
  })
  // Broken connections are what some tests are about; mqtt.js reconnects by itself.
  client.on('error', () => undefined)
  const acknowledged: number[] = []
  let seq = 0
  let stopping = false
  let publishing: Promise<void> = Promise.resolve()

  const publishOne = async (): Promise<void> => {
    const own = seq++
    await client.publishAsync(`sensors/${id}/reading`, JSON.stringify({ device: id, seq: own }), { qos: 1 })
    acknowledged.push(own)
  }
  return {
    id,
    acknowledged,
    publish: async (count) => {
      await Promise.all(Array.from({ length: count }, publishOne))
    },
    publishUntilStopped: () => {
      const window = Array.from({ length: 20 }, async () => {
        while (!stopping) await publishOne()
      })
      publishing = Promise.all(window).then(() => undefined)
      publishing.catch(() => undefined)
    },
    stop: async () => {
      stopping = true
      // What is still under way has no PUBACK yet; ending the client rejects it, and nothing is claimed for it.
      await Promise.race([publishing, new Promise((resolve) => setTimeout(resolve, 2000))]).catch(() => undefined)
      await client.endAsync(true)
    },
  }
}
