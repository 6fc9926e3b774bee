import { compileSettings } from '../config/settings.ts'
import type { Logger } from '../logging/logger.ts'
import { brokerSettings, brokerSynonyms, type BrokerConfig } from './config.ts'
import { RequestError } from './kafka-error.ts'
import { SettingsFile } from './settings-file.ts'

/** For whom a setting was changed: this broker, or all brokers of the cluster, which is the same one here. */
export type SettingScope = 'broker' | 'cluster'

type Values = Readonly<Record<string, string>>
type Changed = Readonly<Record<SettingScope, Values>>

/** Those that can be changed while the broker runs. Every other one is read at start. */
export const dynamicSettings: ReadonlySet<string> = new Set<keyof BrokerConfig>([
  ...Object.values(brokerSynonyms),
  'max.connections',
  'max.connections.per.ip',
])

const parse = compileSettings(brokerSettings, { foreign: () => true })

/**
 * The broker's settings: those it was started with, and over them what clients have changed since (KIP-226), which is
 * kept in the data directory.
 */
export class DynamicSettings {
  /** What is in force. It changes in place: read a setting when it is needed. */
  readonly config: BrokerConfig
  /** What the broker was started with. */
  readonly atStart: BrokerConfig
  readonly #file: SettingsFile<Changed>
  #changed: Changed
  readonly #listeners: (() => void)[] = []

  /** @throws BrokerStartError where the file does not read */
  constructor(atStart: BrokerConfig, dataDir: string, logger: Logger) {
    this.atStart = atStart
    this.#file = new SettingsFile(dataDir, 'broker-settings.json')
    const read = (values: Values) => usable(values, this.#file.path, logger)
    this.#changed = this.#file.load(({ broker, cluster }) => ({ broker: read(broker), cluster: read(cluster) })) ?? {
      broker: {},
      cluster: {},
    }
    this.config = { ...atStart }
    this.#apply()
  }

  /** What was changed, as it was given. */
  changed(scope: SettingScope): Values {
    return this.#changed[scope]
  }

  /**
   * Whether these may be the changed settings.
   * @throws RequestError with Kafka's words
   */
  check(values: Values): void {
    const names = Object.keys(values)
    const unknown = names.find((name) => !Object.hasOwn(brokerSettings, name))
    if (unknown !== undefined) throw new RequestError('INVALID_CONFIG', `Unknown broker config name: ${unknown}`)
    const fixed = names.filter((name) => !dynamicSettings.has(name))
    if (fixed.length > 0) {
      throw new RequestError('INVALID_REQUEST', `Cannot update these configs dynamically: [${fixed.join(', ')}]`)
    }
    const problem = Object.values(parse(values).errors).flat()[0]
    if (problem !== undefined) throw new RequestError('INVALID_REQUEST', problem)
  }

  /**
   * Replaces all that was changed for the scope. On disk and in force when it returns.
   * @throws RequestError
   */
  replace(scope: SettingScope, values: Values): void {
    this.check(values)
    const changed = { ...this.#changed, [scope]: values }
    this.#file.save(changed)
    this.#changed = changed
    this.#apply()
    for (const listener of this.#listeners) listener()
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  #apply(): void {
    const { broker, cluster } = this.#changed
    const { config } = parse({ ...cluster, ...broker })
    for (const name of dynamicSettings) {
      const source = Object.hasOwn(broker, name) || Object.hasOwn(cluster, name) ? config : this.atStart
      Object.assign(this.config, { [name]: source[name as keyof BrokerConfig] })
    }
  }
}

/** Without what another version of this program may have put there. */
function usable(values: Values, path: string, logger: Logger): Values {
  const { errors } = parse(values)
  const entries = Object.entries(values).filter(([name]) => {
    if (dynamicSettings.has(name) && errors[name] === undefined) return true
    logger.warn(`${path} has a setting that cannot be used here, which is passed over`, { setting: name })
    return false
  })
  return Object.fromEntries(entries)
}
