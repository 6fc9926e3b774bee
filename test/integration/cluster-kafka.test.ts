import { describe, test } from 'vitest'
import { describeCluster } from '../support/cluster-suite.ts'
import { kafkaMissing, testKafka } from '../support/kafka.ts'

const missing =
  process.env['KAFKA_BOOTSTRAP'] === undefined
    ? await kafkaMissing()
    : 'the Kafka of KAFKA_BOOTSTRAP is not ours to kill'

if (missing !== undefined) describe('the cluster on Apache Kafka', () => test.skip(missing))
else
  describeCluster('Apache Kafka', async () => {
    const kafka = await testKafka({ settings: { 'group.min.session.timeout.ms': '1000' } })
    return {
      address: kafka.address,
      crash: async () => {
        await kafka.kill?.()
        await kafka.restart()
      },
      close: () => kafka.close(),
    }
  })
