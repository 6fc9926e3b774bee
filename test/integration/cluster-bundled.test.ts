import { describeCluster } from '../support/cluster-suite.ts'
import { bundledLog } from '../support/killable-log.ts'

describeCluster('the bundled log', bundledLog)
