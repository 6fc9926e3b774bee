import { stripVTControlCharacters } from 'node:util'

const gap = '  '

/**
 * Rows under their headings, in columns as wide as they need. Numbers stand to the right. Where the terminal is narrower
 * than the table, the last column is cut, and shows it.
 * @param width of the terminal; undefined: as wide as it gets
 */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly (string | number | null | undefined)[])[],
  width?: number,
): string {
  const numeric = headings.map((_, column) => {
    const cells = rows.map((row) => row[column]).filter((cell) => cell != null)
    return cells.length > 0 && cells.every((cell) => typeof cell === 'number')
  })
  const lines = [headings, ...rows.map((row) => row.map((cell) => (cell == null ? '–' : String(cell))))]
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column]!))))
  const last = headings.length - 1
  const before = widths.slice(0, last).reduce((sum, each) => sum + each + gap.length, 0)
  return lines
    .map((line) => {
      const cells = line.map((text, column) => {
        const cell = column === last && width !== undefined ? cut(text, width - before) : text
        const padding = ' '.repeat(Math.max(0, widths[column]! - widthOf(cell)))
        if (numeric[column] === true) return padding + cell
        return column === last ? cell : cell + padding
      })
      return cells.join(gap).trimEnd()
    })
    .join('\n')
}

/** Names and values side by side, as in a description. */
export function formatPairs(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...pairs.map(([name]) => widthOf(name)))
  return pairs.map(([name, value]) => `${name}${' '.repeat(width - widthOf(name))}${gap}${value}`.trimEnd()).join('\n')
}

/**
 * The text with what would steer a terminal made visible: names, traces and records come from elsewhere.
 * @param keep characters that stay, a line's end for instance
 */
export function harmless(text: string, keep = ''): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (sign) =>
    keep.includes(sign) ? sign : `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Unicode's wide and fullwidth characters, and emoji, as terminals show them. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u
/** What is shown with the character before it. */
const joined = /[\p{Mn}\p{Me}\p{Cf}]/u

/** Columns of a terminal. */
function widthOf(text: string): number {
  const plain = stripVTControlCharacters(text)
  if (/^[ -~]*$/.test(plain)) return plain.length
  let width = 0
  for (const sign of plain) width += signWidth(sign)
  return width
}

const signWidth = (sign: string): number => (joined.test(sign) ? 0 : wide.test(sign) ? 2 : 1)

/** A cell that is painted would be torn, and is left as it is. */
function cut(cell: string, room: number): string {
  if (widthOf(cell) <= room || room < 2 || stripVTControlCharacters(cell) !== cell) return cell
  let kept = ''
  let width = 0
  for (const sign of cell) {
    width += signWidth(sign)
    if (width >= room) break
    kept += sign
  }
  return `${kept}…`
}
