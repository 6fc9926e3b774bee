import { stripVTControlCharacters } from 'node:util'

const gap = '  '

/**
 * Rows under their headings, in columns as wide as they need. Numbers stand to the right. Where the line is narrower than
 * the table, the last column is cut, and says so.
 * @param width of the terminal; undefined: as wide as it gets
 */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
  width?: number,
): string {
  const numeric = headings.map((_, column) => {
    const cells = rows.map((row) => row[column]).filter((cell) => cell !== null)
    return cells.length > 0 && cells.every((cell) => typeof cell === 'number')
  })
  const lines = [headings, ...rows.map((row) => row.map((cell) => (cell === null ? '–' : String(cell))))]
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column]!))))
  return lines
    .map((line) => {
      const cells = line.map((cell, column) => {
        const padding = ' '.repeat(widths[column]! - widthOf(cell))
        if (numeric[column] === true) return padding + cell
        return column === line.length - 1 ? cell : cell + padding
      })
      return cut(cells.join(gap), width).trimEnd()
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

/** Colours would be torn, so a line that has any is left as it is. */
function cut(line: string, width: number | undefined): string {
  if (width === undefined || widthOf(line) <= width) return line
  const plain = stripVTControlCharacters(line)
  if (plain !== line) return line
  return `${Array.from(line)
    .slice(0, width - 1)
    .join('')}…`
}
