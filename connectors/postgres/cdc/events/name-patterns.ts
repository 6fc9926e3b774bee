/**
 * Lists of regular expressions over names, as the settings of filters and column rules have them: separated by commas, each
 * for a whole name, whatever the case. A comma inside an expression is written `\,`.
 */
export class NamePatterns {
  readonly #patterns: readonly RegExp[]

  /** @throws TypeError with what is wrong with an expression */
  constructor(list: string) {
    this.#patterns = splitList(list).map(compile)
  }

  /** Whether an expression covers the name: `schema`, `schema.table` or `schema.table.column`, in the catalog's own case. */
  covers(name: string): boolean {
    return this.#patterns.some((pattern) => pattern.test(name))
  }

  /** Those that an expression covers, in the order of the expressions, and within one in that of the names. */
  order<T>(items: readonly T[], nameOf: (item: T) => string): T[] {
    const ordered = this.#patterns.flatMap((pattern) => items.filter((item) => pattern.test(nameOf(item))))
    return [...new Set(ordered)]
  }
}

function splitList(list: string): string[] {
  const parts: string[] = []
  let start = 0
  for (let index = 0; index <= list.length; index++) {
    if (list[index] === '\\') index++
    else if (index === list.length || list[index] === ',') {
      parts.push(list.slice(start, index))
      start = index + 1
    }
  }
  // A backslash that ends the list has taken the loop past its end.
  if (start < list.length && list.endsWith('\\')) parts.push(list.slice(start))
  return parts.map((part) => part.trim().replaceAll('\\,', ',')).filter((part) => part !== '')
}

/** Java's regular expressions are meant; what they write otherwise than JavaScript is put into its words. */
function compile(pattern: string): RegExp {
  const source = pattern
    .replace(/\\Q(.*?)(?:\\E|$)/g, (_match, literal: string) => literal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
    .replace(/^\(\?i\)/, '')
  try {
    return new RegExp(`^(?:${source})$`, 'i')
  } catch (error) {
    throw new TypeError(`'${pattern}' is not a regular expression: ${(error as Error).message}`, { cause: error })
  }
}
