/**
 * Makes the connectors what a set of configs says, as a directory of files does (GitOps): those that lack are created,
 * those that differ changed, those that are so already left alone and, if so asked, those that are not named deleted. All
 * are checked before the first is written. Each is a write of its own, with a name of its own below the request's: where
 * the answer was lost halfway, the same request sent again goes on where it ended.
 */
import { ConfigError, isErrorKind } from '@tidewire/sdk'
import { secretMask } from '../config/secrets.ts'
import type { SettingErrors } from '../config/settings.ts'
import type { Config, ConfigStore } from './config-store.ts'
import type { ConnectorViews } from './connector-views.ts'
import type { Applied, CheckedConfig, ConnectorWrites, WantedConnector } from './connector-writes.ts'
import { InvalidConfigError } from './validation.ts'

export interface BulkRequest {
  /** By name. */
  readonly connectors: ReadonlyMap<string, WantedConnector>
  /** Delete what is not named. */
  readonly deletesOthers: boolean
  /** Tells what would be done, and does nothing. */
  readonly dryRun: boolean
}

/** What was done to a connector, or would be. */
export interface BulkChange {
  readonly action: Applied['action'] | 'delete'
  /** By setting, secrets masked; null where it is not set. Left out of what is unchanged or deleted. */
  readonly changes?: Readonly<Record<string, { readonly from: string | null; readonly to: string | null }>>
  /** Of a dry run: what is wrong with the config, by setting. */
  readonly errors?: SettingErrors
  readonly warnings?: readonly string[]
}

export interface BulkResult {
  readonly dryRun: boolean
  readonly connectors: Readonly<Record<string, BulkChange>>
}

export interface BulkApplyOptions {
  readonly store: ConfigStore
  readonly views: ConnectorViews
  readonly writes: ConnectorWrites
  /** Resolves when all that earlier leaders wrote has been read. @throws NotLeaderError */
  readonly leading: () => Promise<void>
}

/** Of validations: each may take a thread's time. */
const checksAtATime = 4
/** Of writes: each waits for the log. */
const writesAtATime = 16

/** See the head of the file. */
export class BulkApply {
  readonly #options: BulkApplyOptions

  constructor(options: BulkApplyOptions) {
    this.#options = options
  }

  /**
   * @param request a name for it that stays the same when it is sent again
   * @throws ConfigError with all that is wrong with any config: nothing was written; NotLeaderError
   */
  async apply({ connectors, deletesOthers, dryRun }: BulkRequest, request?: string): Promise<BulkResult> {
    const { store, writes, leading } = this.#options
    await leading()
    const given = [...connectors]
    const others = deletesOthers ? this.#others(connectors, request) : []
    const checked = await mapLimited(given, checksAtATime, ([name, { config }]) => writes.check(name, config))
    if (dryRun) {
      const planned = given.map(([name], i): [string, BulkChange] => [name, this.#planned(checked[i]!)])
      return result(dryRun, planned, others)
    }
    refuseWrong(given.map(([name], i) => [name, checked[i]!]))
    const part = (name: string): string | undefined => (request === undefined ? undefined : `${request}/${name}`)
    const done = await mapLimited(given, writesAtATime, async ([name, wanted], i): Promise<[string, BulkChange]> => {
      const { action, checked: found } = await writes.apply(name, wanted, checked[i]!, part(name))
      return [name, this.#change(action, found)]
    })
    await mapLimited(others, writesAtATime, async (name) => {
      if (store.get(name) !== undefined) await writes.delete(name, part(name)).catch(unlessGone)
    })
    return result(dryRun, done, others)
  }

  /** Those that are not named, and those that this request has deleted before. */
  #others(named: ReadonlyMap<string, unknown>, request: string | undefined): string[] {
    const { store } = this.#options
    const parts = request === undefined ? [] : store.carriedOutParts(`${request}/`)
    const deleted = parts.map((name) => name.slice(request!.length + 1))
    return [...new Set([...store.connectors(), ...deleted])].filter((name) => !named.has(name))
  }

  #planned(checked: CheckedConfig): BulkChange {
    const { stored, errors } = checked
    const changes = this.#changes(checked)
    const isSame = stored !== undefined && Object.keys(changes).length === 0
    const action = stored === undefined ? 'create' : isSame ? 'unchanged' : 'update'
    return { ...this.#change(action, checked), ...(Object.keys(errors).length > 0 ? { errors } : {}) }
  }

  #change(action: Applied['action'], checked: CheckedConfig | undefined): BulkChange {
    if (checked === undefined || action === 'unchanged') return { action }
    const { warnings } = checked
    return { action, changes: this.#changes(checked), ...(warnings.length > 0 ? { warnings } : {}) }
  }

  #changes({ stored = {}, config }: CheckedConfig): NonNullable<BulkChange['changes']> {
    const { views } = this.#options
    const [before, after] = [views.masked(stored), views.masked(config)]
    const names = [...new Set([...Object.keys(stored), ...Object.keys(config)])]
    return Object.fromEntries(
      names
        .filter((name) => valueOf(stored, name) !== valueOf(config, name))
        .map((name) => {
          const [from, to] = [valueOf(before, name), valueOf(after, name)]
          // Another connector class may declare as no secret what is one.
          const hide = (value: string | null): string | null =>
            value !== null && (from === secretMask || to === secretMask) ? secretMask : value
          return [name, { from: hide(from), to: hide(to) }]
        }),
    )
  }
}

/** @throws ConfigError */
function refuseWrong(checked: readonly (readonly [string, CheckedConfig])[]): void {
  const wrong = checked.filter(([, { errors }]) => Object.keys(errors).length > 0)
  if (wrong.length === 0) return
  const texts = wrong.map(
    ([name, { errors, warnings }]) => `${name}: ${new InvalidConfigError(errors, warnings).message}`,
  )
  throw new ConfigError(
    `${wrong.length} of ${checked.length} connector configs are wrong, and none was written.\n${texts.join('\n')}`,
  )
}

function result(dryRun: boolean, changes: [string, BulkChange][], deleted: readonly string[]): BulkResult {
  const gone = deleted.map((name): [string, BulkChange] => [name, { action: 'delete' }])
  return { dryRun, connectors: Object.fromEntries([...changes, ...gone]) }
}

/** Somebody else has deleted it meanwhile. */
function unlessGone(error: unknown): void {
  if (!isErrorKind(error, 'NotFoundError')) throw error
}

function valueOf(config: Config, name: string): string | null {
  return Object.hasOwn(config, name) ? config[name]! : null
}

/** In the order given. After a failure none is begun any more, and those under way are awaited. */
async function mapLimited<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  let next = 0
  let failed = false
  const run = async (): Promise<void> => {
    while (next < items.length && !failed) {
      const index = next++
      try {
        results[index] = await work(items[index]!, index)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, run))
  const failure = ended.find((each) => each.status === 'rejected')
  if (failure !== undefined) throw failure.reason
  return results
}
