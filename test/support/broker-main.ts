/** A broker as a process: `node broker-main.ts DATA_DIR PORT`. Tells its parent the port when it is ready. */
import { startBroker } from '../../core/src/broker/broker.ts'
import { createProcessLogger } from '../../core/src/logging/logger.ts'

const [dataDir = '', port = '0'] = process.argv.slice(2)
const broker = await startBroker({
  host: '127.0.0.1',
  port: Number(port),
  dataDir,
  logger: createProcessLogger('warn'),
})
process.send?.(String(broker.port))
process.once('SIGTERM', () => void broker.close().then(() => process.exit(0)))
// Its parent is gone: nobody is left to stop it.
process.on('disconnect', () => process.exit(0))
