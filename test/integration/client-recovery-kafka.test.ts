import { describe, test } from 'vitest'
import { describeRecovery } from '../support/client-recovery-suite.ts'
import { ownKafkaMissing } from '../support/kafka.ts'
import { kafkaLog } from '../support/killable-log.ts'

const missing = await ownKafkaMissing()

if (missing === undefined) describeRecovery('Apache Kafka', 1, kafkaLog)
else describe('client on Apache Kafka, which crashes', () => test.skip(missing))
