import { describe, test } from 'vitest'
import { describeRecovery } from '../support/client-recovery-suite.ts'
import { kafkaMissing, testKafka } from '../support/kafka.ts'

const missing =
  process.env['KAFKA_BOOTSTRAP'] === undefined
    ? await kafkaMissing()
    : 'the Kafka of KAFKA_BOOTSTRAP is not ours to kill'

if (missing !== undefined) describe('client on Apache Kafka, which crashes', () => test.skip(missing))
else
  describeRecovery('Apache Kafka', 1, async () => {
    const kafka = await testKafka()
    return {
      address: kafka.address,
      crash: async () => {
        await kafka.kill?.()
        await kafka.restart()
      },
      close: () => kafka.close(),
    }
  })
