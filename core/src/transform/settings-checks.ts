/** What is wrong with settings that list names: Kafka Connect takes none that is empty or stands there twice. */
export function checkNames(lists: Readonly<Record<string, readonly string[]>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(lists).flatMap(([setting, names]) => {
      if (names.includes('')) return [[setting, 'one of its names is empty']]
      const twice = names.find((name, i) => names.indexOf(name) !== i)
      return twice === undefined ? [] : [[setting, `${twice} stands there twice`]]
    }),
  )
}
