import { describe, test } from 'vitest'
import { describeCluster } from '../support/cluster-suite.ts'
import { ownKafkaMissing } from '../support/kafka.ts'
import { kafkaLog } from '../support/killable-log.ts'

const missing = await ownKafkaMissing()

if (missing === undefined) describeCluster('Apache Kafka', kafkaLog)
else describe('the cluster on Apache Kafka', () => test.skip(missing))
