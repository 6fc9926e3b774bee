import { describe, test } from 'vitest'
import { kafkaMissing } from '../support/kafka.ts'
import { missingProgram } from '../support/programs.ts'
import { describeFaults } from './faults-suite.ts'
import { kafkaLog } from './killable-log.ts'

const missing =
  process.env['KAFKA_BOOTSTRAP'] === undefined
    ? ((await kafkaMissing()) ?? (await missingProgram(['kcat', '-V'])))
    : 'the Kafka of KAFKA_BOOTSTRAP is not ours to kill'

if (missing !== undefined) describe('a cluster on Apache Kafka', () => test.skip(missing))
else describeFaults('Apache Kafka', Number(process.env['TIDEWIRE_FAULTS'] ?? 6), kafkaLog)
