import { describe, test } from 'vitest'
import { describeClient } from '../support/client-suite.ts'
import { kafkaMissing, testKafka } from '../support/kafka.ts'

const missing = await kafkaMissing()
if (missing === undefined) describeClient('Apache Kafka', testKafka)
else describe('client on Apache Kafka', () => test.skip(missing))
