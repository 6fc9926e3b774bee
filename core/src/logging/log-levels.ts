/**
 * The levels of a process's loggers, by dotted name as in Java: who says nothing of its own has its parent's, at last
 * that of `root`. What logs is named by what its lines carry: `tidewire.connectors.<name>` for all about a connector, else
 * `tidewire.<part>`.
 */

/** log4j's, from the most talkative to none. */
export const levelNames = ['ALL', 'TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'OFF'] as const
export type LevelName = (typeof levelNames)[number]

export interface LoggerLevel {
  readonly level: LevelName
  /** Milliseconds since the epoch; null for one that nobody has set while the process runs. */
  readonly last_modified: number | null
}

const root = 'root'
/** So many names are remembered beyond those that have a level of their own. */
const maxSeen = 1000

/** The level that is meant, whatever its case; undefined where there is none of that name. */
export function levelNamed(text: string): LevelName | undefined {
  return levelNames.find((level) => level === text.toUpperCase())
}

/** The logger that a line with these details belongs to. */
export function loggerOf(details: Readonly<Record<string, unknown>>): string {
  const { connector, part } = details
  if (typeof connector === 'string' && connector !== '') return `tidewire.connectors.${connector}`
  return typeof part === 'string' ? `tidewire.${part}` : 'tidewire'
}

export class LogLevels {
  #root: LoggerLevel
  readonly #set = new Map<string, LoggerLevel>()
  /** Loggers that have had a line, or were named when a level was set. */
  readonly #seen = new Set<string>()
  /** What holds for a logger, as it was last found out. */
  readonly #effective = new Map<string, LevelName>()
  readonly #now: () => number

  constructor(level: LevelName = 'INFO', now: () => number = Date.now) {
    this.#root = { level, last_modified: null }
    this.#now = now
  }

  /** Whether a line of this level is to be written. */
  isEnabled(logger: string, level: LevelName): boolean {
    let effective = this.#effective.get(logger)
    if (effective === undefined) {
      effective = this.#levelOf(logger)
      if (this.#seen.size < maxSeen) this.#effective.set(logger, effective)
      this.#note(logger)
    }
    return levelNames.indexOf(level) >= levelNames.indexOf(effective)
  }

  /** By name: all that have been set, or have had something to say. */
  all(): Record<string, LoggerLevel> {
    const names = [...this.#known(), root].sort()
    return Object.fromEntries(names.map((name) => [name, this.get(name)!]))
  }

  /** Undefined for a logger that is not known. */
  get(logger: string): LoggerLevel | undefined {
    if (isRoot(logger)) return this.#root
    const set = this.#set.get(logger)
    if (set !== undefined || !this.#seen.has(logger)) return set
    return { level: this.#levelOf(logger), last_modified: null }
  }

  /**
   * Sets the level of a logger and of all known ones below it; of `root`, of all. Returns the names of those that had
   * another.
   */
  set(logger: string, level: LevelName): string[] {
    const all = isRoot(logger)
    const known = [...this.#known()].filter((name) => all || name.startsWith(`${logger}.`))
    const changed = (all ? known : [logger, ...known]).filter((name) => this.#levelOf(name) !== level)
    if (!all) this.#note(logger)
    const now = { level, last_modified: this.#now() }
    for (const name of changed) this.#set.set(name, now)
    if (all && this.#root.level !== level) {
      this.#root = now
      changed.push(root)
    }
    this.#effective.clear()
    return changed.sort()
  }

  #known(): Set<string> {
    return this.#set.keys().reduce((known, name) => known.add(name), new Set(this.#seen))
  }

  #note(logger: string): void {
    if (this.#seen.size < maxSeen) this.#seen.add(logger)
  }

  #levelOf(logger: string): LevelName {
    for (let name = logger; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
      const set = this.#set.get(name)
      if (set !== undefined) return set.level
    }
    return this.#root.level
  }
}

function isRoot(logger: string): boolean {
  return logger.toLowerCase() === root
}
