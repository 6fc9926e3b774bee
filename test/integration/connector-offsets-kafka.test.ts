import { describe, test } from 'vitest'
import { ownKafkaMissing } from '../support/kafka.ts'
import { kafkaLog } from '../support/killable-log.ts'
import { describeOffsets } from '../support/offsets-suite.ts'

const missing = await ownKafkaMissing()

if (missing === undefined) describeOffsets('Apache Kafka', kafkaLog)
else describe('offsets over REST on Apache Kafka', () => test.skip(missing))
