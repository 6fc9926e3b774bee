const maxTopics = 1000

/** Remembers what was found out of each of the last topics: records come in runs of a topic, and there are few topics. */
export function memoByTopic<T>(compute: (topic: string) => T): (topic: string) => T {
  const known = new Map<string, T>()
  let lastTopic: string | undefined
  let last: T | undefined
  return (topic) => {
    if (topic === lastTopic) return last as T
    let found = known.get(topic)
    if (found === undefined) {
      found = compute(topic)
      if (known.size >= maxTopics) known.clear()
      known.set(topic, found)
    }
    lastTopic = topic
    last = found
    return found
  }
}
