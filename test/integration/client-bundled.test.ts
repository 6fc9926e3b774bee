import { describeClient } from '../support/client-suite.ts'
import { testBroker } from '../support/broker.ts'

describeClient('the bundled log', () => testBroker())
