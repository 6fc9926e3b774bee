import { describe, test } from 'vitest'
import { ownKafkaMissing } from '../support/kafka.ts'
import { kafkaLog } from '../support/killable-log.ts'
import { missingProgram } from '../support/programs.ts'
import { describeFaults } from './faults-suite.ts'

const missing = (await ownKafkaMissing()) ?? (await missingProgram(['kcat', '-V']))

if (missing !== undefined) describe('a cluster on Apache Kafka', () => test.skip(missing))
else describeFaults('Apache Kafka', Number(process.env['TIDEWIRE_FAULTS'] ?? 6), kafkaLog)
