/** The parts of a SimpleDateFormat pattern, and the English names that its letters stand for. */

/** A run of the same letter, or a text that stands for itself. */
export type PatternPart = { readonly letter: string; readonly count: number } | { readonly text: string }

export const monthNames = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const
export const weekdayNames = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const
export const eraNames = ['BC', 'AD'] as const

const letters = 'GyYMLdkHmsSEDFwWahKzZuX'

/** @throws RangeError where a letter stands for nothing, or a quote is not closed */
export function parsePattern(pattern: string): PatternPart[] {
  const parts: PatternPart[] = []
  const addText = (text: string): void => {
    const last = parts.at(-1)
    if (last !== undefined && 'text' in last) parts[parts.length - 1] = { text: last.text + text }
    else parts.push({ text })
  }
  for (let at = 0; at < pattern.length;) {
    const char = pattern[at]!
    if (char === "'") {
      const quoted = /'((?:[^']|'')*)'/y
      quoted.lastIndex = at
      const text = pattern.startsWith("''", at) ? "'" : quoted.exec(pattern)?.[1]?.replaceAll("''", "'")
      if (text === undefined) throw new RangeError(`date pattern ${pattern}: the quote at ${at} is not closed`)
      addText(text)
      at = pattern.startsWith("''", at) ? at + 2 : quoted.lastIndex
    } else if (/[a-zA-Z]/.test(char)) {
      let end = at + 1
      while (pattern[end] === char) end++
      const count = end - at
      if (!letters.includes(char) || (char === 'X' && count > 3)) {
        const hint = "texts stand in quotes: yyyy-MM-dd'T'HH:mm"
        throw new RangeError(`date pattern ${pattern}: ${pattern.slice(at, end)} at ${at} stands for nothing; ${hint}`)
      }
      parts.push({ letter: char, count })
      at = end
    } else {
      addText(char)
      at++
    }
  }
  return parts
}
