/** Versions of plugins and ranges of them, as Kafka Connect has them (KIP-891), which has them from Maven. */

import { ConfigError } from '@tidewire/sdk'

/** Whether a version is within the range. */
export type VersionRange = (version: string) => boolean

interface Bound {
  readonly version: string
  readonly inclusive: boolean
}

/**
 * `latest` (any: the newest is taken), `1.2.0` (that one), or ranges: `[1.0,2.0)`, `(,1.0]`, `[1.2,)`, `[1.5]`, and
 * several of them after each other, with commas.
 * @throws ConfigError that says what is wrong
 */
export function parseVersionRange(text: string): VersionRange {
  const spec = text.trim()
  if (spec === '' || spec === 'latest') return () => true
  if (!/^[[(]/.test(spec)) {
    if (/[[\](),\s]/.test(spec)) throw new ConfigError(`'${spec}' is neither a version nor a range of versions`)
    return (version) => compareVersions(version, spec) === 0
  }
  const intervals = spec.match(/[[(][^[\]()]*[\])]/g) ?? []
  if (intervals.join(',').length === 0 || spec.replaceAll(/\s/g, '') !== intervals.join(',').replaceAll(/\s/g, '')) {
    throw new ConfigError(`'${spec}' is not a range of versions: [1.0,2.0) has a bracket at each end`)
  }
  const within = intervals.map(parseInterval)
  return (version) => within.some((isWithin) => isWithin(version))
}

function parseInterval(text: string): VersionRange {
  const parts = text.slice(1, -1).split(',')
  const [from = '', to = from] = parts.map((part) => part.trim())
  const isExact = parts.length === 1
  if (parts.length > 2 || (isExact && (from === '' || !/^\[.*\]$/.test(text)))) {
    throw new ConfigError(`'${text}' is not a range of versions: [1.0,2.0), [1.0], [1.0,) or (,2.0]`)
  }
  const lower: Bound = { version: from, inclusive: text.startsWith('[') }
  const upper: Bound = { version: to, inclusive: text.endsWith(']') }
  const order = from === '' || to === '' ? -1 : compareVersions(from, to)
  if (order > 0 || (order === 0 && !(lower.inclusive && upper.inclusive))) {
    throw new ConfigError(`'${text}' is a range in which there is no version`)
  }
  return (version) => reaches(version, lower, 1) && reaches(version, upper, -1)
}

function reaches(version: string, { version: bound, inclusive }: Bound, direction: 1 | -1): boolean {
  if (bound === '') return true
  const order = compareVersions(version, bound) * direction
  return order > 0 || (order === 0 && inclusive)
}

/** What comes before a release, and after it; words that are not known come after these. */
const qualifiers = ['alpha', 'beta', 'milestone', 'rc', 'snapshot', '', 'sp']
const shortQualifiers: Readonly<Record<string, string>> = {
  a: 'alpha',
  b: 'beta',
  m: 'milestone',
  cr: 'rc',
  ga: '',
  final: '',
  release: '',
}
const release = qualifiers.indexOf('')

/** Negative, 0 or positive, as in `sort`: 1.0 = 1.0.0, 1.0-rc1 < 1.0 < 1.0.1, 1.9 < 1.10. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [itemsOf(a), itemsOf(b)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const order = compareItems(left[i], right[i])
    if (order !== 0) return order
  }
  return 0
}

type Item = number | string

/** Build metadata (`+…`) does not count. */
function itemsOf(version: string): Item[] {
  const pieces =
    version
      .toLowerCase()
      .split('+', 1)[0]!
      .match(/\d+|[a-z]+/g) ?? []
  return pieces.map((piece) => (/^\d/.test(piece) ? Number(piece) : (shortQualifiers[piece] ?? piece)))
}

/** What is missing counts as 0 beside a number, and as a release beside a word. */
function compareItems(a: Item = 0, b: Item = 0): number {
  const order = rank(a) - rank(b)
  if (order !== 0) return order
  if (typeof a === 'number' && typeof b === 'number') return a - b
  // Words that are not known, in their own order; of the same rank otherwise are only the release and 0.
  return rank(a) < qualifiers.length ? 0 : String(a) < String(b) ? -1 : Number(String(a) > String(b))
}

/** Words below the release, then the release and 0, then words above it, then numbers. */
function rank(item: Item): number {
  if (item === 0) return release
  if (typeof item === 'number') return qualifiers.length + 1
  const at = qualifiers.indexOf(item)
  return at < 0 ? qualifiers.length : at
}
