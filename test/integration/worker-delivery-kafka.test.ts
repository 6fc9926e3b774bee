import { describe, test } from 'vitest'
import { describeDelivery } from '../support/delivery-suite.ts'
import { kafkaMissing, testKafka } from '../support/kafka.ts'

const missing = await kafkaMissing()
if (missing === undefined) describeDelivery('Apache Kafka', testKafka)
else describe('delivery on Apache Kafka', () => test.skip(missing))
