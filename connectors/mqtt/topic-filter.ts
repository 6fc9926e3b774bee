/**
 * Whether an MQTT topic filter covers a topic name, or all that another filter covers (then `topic` is that filter).
 * A filter that begins with a wildcard does not cover topics that begin with `$` (MQTT 5, 4.7.2).
 */
export function covers(filter: readonly string[], topic: readonly string[]): boolean {
  if (topic[0]?.startsWith('$') === true && (filter[0] === '#' || filter[0] === '+')) return false
  for (let level = 0; ; level++) {
    const wanted = filter[level]
    const given = topic[level]
    // `a/#` covers `a` itself too.
    if (wanted === '#') return true
    if (wanted === undefined || given === undefined) return wanted === given
    if (given === '#') return false
    if (wanted !== '+' && wanted !== given) return false
  }
}

/** What is wrong with a topic filter; undefined when nothing is. */
export function filterProblem(filter: string): string | undefined {
  if (filter === '') return 'is empty'
  if (Buffer.byteLength(filter) > 0xffff) return 'is longer than 65,535 bytes'
  if (filter.includes('\0')) return 'holds a zero character'
  const levels = filter.split('/')
  for (const [index, level] of levels.entries()) {
    if (level === '#' && index !== levels.length - 1) return `'#' may only be the last level`
    if (level !== '#' && level !== '+' && /[#+]/.test(level)) return `'${level}': a wildcard must be a level of its own`
  }
  return undefined
}

/** Whether a name may be published to: not empty, without wildcards. The decoder has checked its characters. */
export function isTopicName(topic: string): boolean {
  return topic !== '' && !topic.includes('+') && !topic.includes('#')
}
