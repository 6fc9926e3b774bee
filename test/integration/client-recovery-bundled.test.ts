import { describeRecovery } from '../support/client-recovery-suite.ts'
import { bundledLog } from '../support/killable-log.ts'

describeRecovery('the bundled log', 3, bundledLog)
