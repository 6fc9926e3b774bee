import { testBroker } from '../support/broker.ts'
import { describeDelivery } from '../support/delivery-suite.ts'

describeDelivery('the bundled log', () => testBroker())
