/** Finds any of these texts wherever they stand, the longest first, since one may be part of another; undefined for none. */
export function literalPattern(texts: Iterable<string>): RegExp | undefined {
  const sought = [...texts].sort((a, b) => b.length - a.length)
  if (sought.length === 0) return undefined
  return new RegExp(sought.map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g')
}
