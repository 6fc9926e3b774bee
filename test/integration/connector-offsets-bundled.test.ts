import { describeOffsets } from '../support/offsets-suite.ts'
import { bundledLog } from '../support/killable-log.ts'

describeOffsets('the bundled log', bundledLog)
