import { readdir, readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { UserError } from './fatal.ts'

/** A connector as it is POSTed. */
export interface ConnectorFile {
  readonly name: string
  readonly config: Readonly<Record<string, string>>
}

/** The connector through which devices reach the platform; `start` runs it with and without the quickstart. */
export const gatewayName = 'mqtt-gateway'

/** config/quickstart of this repository. */
const folder = resolve(import.meta.dirname, '../../../config/quickstart')

/**
 * The connectors of the quickstart, with the addresses and the data directory of this start in the place of the
 * defaults that stand in the files (each file is also a runnable example).
 * @throws UserError where a file is not a connector
 */
export async function quickstartConnectors(platform: {
  readonly host: string
  readonly mqttPort: number
  readonly dataDir: string
}): Promise<ConnectorFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()
  const files = await Promise.all(names.map(async (name) => readConnectorFile(join(folder, name))))
  return files.map(({ name, config }) => ({ name, config: { ...config, ...placed(config, platform) } }))
}

async function readConnectorFile(path: string): Promise<ConnectorFile> {
  const parsed: unknown = JSON.parse(await readFile(path, 'utf8'))
  if (typeof parsed === 'object' && parsed !== null && 'name' in parsed && 'config' in parsed) {
    return parsed as ConnectorFile
  }
  throw new UserError(`${path} is not a connector: expected {"name": …, "config": {…}}`)
}

/** What of a quickstart connector depends on how the platform was started. */
function placed(
  config: Readonly<Record<string, string>>,
  platform: { readonly host: string; readonly mqttPort: number; readonly dataDir: string },
): Record<string, string> {
  switch (config['connector.class']) {
    case 'mqtt-gateway':
      return { 'mqtt.host': platform.host, 'mqtt.port': String(platform.mqttPort) }
    case 'mqtt-sensors': {
      const host = ['0.0.0.0', '::'].includes(platform.host) ? '127.0.0.1' : platform.host
      return { 'mqtt.server.uri': `mqtt://${host.includes(':') ? `[${host}]` : host}:${platform.mqttPort}` }
    }
    case 'file-sink':
      return { file: join(platform.dataDir, basename(config['file'] ?? 'sensors.jsonl')) }
    default:
      return {}
  }
}
