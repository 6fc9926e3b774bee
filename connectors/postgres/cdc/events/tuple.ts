/** How pgoutput writes a row: a count of columns, and for each a kind, and of a text its length and its bytes. */

/** NULL. */
export const nullValue = 0x6e
/** A value kept out of line that the change has not touched, and the server has not sent. */
export const unchanged = 0x75
/** In the text form of its type. */
export const text = 0x74

/** Columns of the tuple that begins at `at`. */
export function columnCount(bytes: Buffer, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

/** Where the first column begins, with its kind. */
export const firstColumn = (at: number): number => at + 2

/** The int32 at `at`. */
export function lengthAt(bytes: Buffer, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

/** Where the column after the one at `at` begins. */
export function nextColumn(bytes: Buffer, at: number): number {
  const kind = bytes[at]
  return kind === nullValue || kind === unchanged ? at + 1 : at + 5 + lengthAt(bytes, at + 1)
}

/** Where a column of the tuple at `at` begins. */
export function columnAt(bytes: Buffer, at: number, index: number): number {
  let column = firstColumn(at)
  for (let passed = 0; passed < index; passed++) column = nextColumn(bytes, column)
  return column
}

/** Whether two columns, the second of a new tuple, hold the same; what was not touched is the same. */
export function isSameColumn(bytes: Buffer, old: number, current: number): boolean {
  const kind = bytes[current]
  if (kind === unchanged) return true
  if (kind !== bytes[old]) return false
  if (kind === nullValue) return true
  const end = nextColumn(bytes, old)
  return bytes.compare(bytes, current, nextColumn(bytes, current), old, end) === 0
}
