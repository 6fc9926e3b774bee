import type { BrokerConfig } from './config.ts'
import { RequestError } from './kafka-error.ts'
import { SettingsFile } from './settings-file.ts'

type Values = Readonly<Record<string, string>>

/** What can be set for a single group of the newer protocol, with the broker's setting that holds for the others. */
export const groupSettings = {
  'consumer.session.timeout.ms': 'group.consumer.session.timeout.ms',
  'consumer.heartbeat.interval.ms': 'group.consumer.heartbeat.interval.ms',
} as const satisfies Record<string, keyof BrokerConfig>

type GroupSetting = keyof typeof groupSettings

/** The settings of single groups (KIP-848), which are kept in the data directory. They may be there before the group is. */
export class GroupSettings {
  readonly #config: BrokerConfig
  readonly #file: SettingsFile<{ readonly groups: readonly (readonly [string, Values])[] }>
  #groups: ReadonlyMap<string, Values>

  /** @throws BrokerStartError where the file does not read */
  constructor(config: BrokerConfig, dataDir: string) {
    this.#config = config
    this.#file = new SettingsFile(dataDir, 'group-settings.json')
    this.#groups = this.#file.load(({ groups }) => new Map(groups)) ?? new Map<string, Values>()
  }

  /** The groups that have settings of their own. */
  ids(): string[] {
    return [...this.#groups.keys()]
  }

  /** What is set for the group itself, as it was given. */
  own(groupId: string): Values {
    return this.#groups.get(groupId) ?? {}
  }

  sessionTimeoutMs(groupId: string): number {
    return this.#value(this.own(groupId), 'consumer.session.timeout.ms')
  }

  heartbeatIntervalMs(groupId: string): number {
    return this.#value(this.own(groupId), 'consumer.heartbeat.interval.ms')
  }

  #value(own: Values, name: GroupSetting): number {
    return own[name] === undefined ? this.#config[groupSettings[name]] : Number(own[name])
  }

  /**
   * Whether these may be the settings of a group.
   * @throws RequestError INVALID_CONFIG
   */
  check(values: Values): void {
    for (const [name, value] of Object.entries(values)) {
      if (!Object.hasOwn(groupSettings, name)) {
        throw new RequestError('INVALID_CONFIG', `Unknown group config name: ${name}`)
      }
      const number = Number(value)
      if (!/^\d+$/.test(value.trim()) || number < 1 || number > 2 ** 31 - 1) {
        throw new RequestError('INVALID_CONFIG', `Invalid value ${value} for configuration ${name}`)
      }
    }
    const [session, heartbeat] = (Object.keys(groupSettings) as GroupSetting[]).map((name) => this.#value(values, name))
    if (session! <= heartbeat!) {
      const reason = 'consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms'
      throw new RequestError('INVALID_CONFIG', reason)
    }
  }

  /**
   * Sets them in place of those there were; on disk when it returns, and in force with the next heartbeat.
   * @throws RequestError INVALID_CONFIG, KAFKA_STORAGE_ERROR
   */
  replace(groupId: string, values: Values): void {
    this.check(values)
    const groups = new Map(this.#groups)
    if (Object.keys(values).length === 0) groups.delete(groupId)
    else groups.set(groupId, values)
    this.#file.save({ groups: [...groups] })
    this.#groups = groups
  }
}
