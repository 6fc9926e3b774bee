import { rm } from 'node:fs/promises'
import { brokerProcess, temporaryFolder } from '../support/broker.ts'
import { describeRecovery } from '../support/client-recovery-suite.ts'

describeRecovery('the bundled log', 3, async () => {
  const folder = await temporaryFolder()
  let broker = await brokerProcess(folder)
  const { address, port } = broker
  return {
    address,
    crash: async () => {
      await broker.kill()
      broker = await brokerProcess(folder, port)
    },
    close: async () => {
      await broker.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
})
