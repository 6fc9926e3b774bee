import { rm } from 'node:fs/promises'
import { brokerProcess, temporaryFolder } from '../support/broker.ts'
import { describeCluster } from '../support/cluster-suite.ts'

describeCluster('the bundled log', async () => {
  const folder = await temporaryFolder()
  const config = { 'group.min.session.timeout.ms': 1000 }
  let broker = await brokerProcess(folder, 0, undefined, config)
  const { address, port } = broker
  return {
    address,
    crash: async () => {
      await broker.kill()
      broker = await brokerProcess(folder, port, undefined, config)
    },
    close: async () => {
      await broker.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
})
