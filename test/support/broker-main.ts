/** A broker as a process: `node broker-main.ts DATA_DIR PORT [CONFIG]`. Tells its parent where it listens when it is ready. */
import { startBroker } from '../../core/src/broker/broker.ts'
import type { BrokerConfig } from '../../core/src/broker/config.ts'
import { createProcessLogger } from '../../core/src/logging/logger.ts'

const [dataDir = '', port = '0', config = '{}'] = process.argv.slice(2)
const broker = await startBroker({
  host: '127.0.0.1',
  port: Number(port),
  dataDir,
  logger: createProcessLogger('warn'),
  config: JSON.parse(config) as Partial<BrokerConfig>,
})
process.send?.([...broker.listeners])
process.once('SIGTERM', () => void broker.close().then(() => process.exit(0)))
// Its parent is gone: nobody is left to stop it.
process.on('disconnect', () => process.exit(0))
