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
  return pairs.map(([name, value]) => `${name.padEnd(width)}${gap}${value}`.trimEnd()).join('\n')
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

const widthOf = (text: string): number => Array.from(stripVTControlCharacters(text)).length

/** A cell that is painted would be torn, and is left as it is. */
function cut(cell: string, room: number): string {
  if (widthOf(cell) <= room || room < 2 || stripVTControlCharacters(cell) !== cell) return cell
  return `${Array.from(cell)
    .slice(0, room - 1)
    .join('')}…`
}
