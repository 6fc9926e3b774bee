/** The values of one row, in the order of its columns, in PostgreSQL's text form. */
export type RowText = readonly (string | null)[]

const copySpecial = /[\\\n\r\t]/
const copyEscapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Rows in COPY's text format. */
export function copyText(rows: readonly RowText[]): string {
  let text = ''
  for (const row of rows) {
    for (let at = 0; at < row.length; at++) {
      const value = row[at] ?? null
      if (at > 0) text += '\t'
      if (value === null) text += '\\N'
      else if (copySpecial.test(value)) text += value.replaceAll(/[\\\n\r\t]/g, (special) => copyEscapes[special]!)
      else text += value
    }
    text += '\n'
  }
  return text
}

/** One column of rows as an array of texts. */
export function columnText(rows: readonly RowText[], column: number): string {
  let text = '{'
  for (let at = 0; at < rows.length; at++) text += `${at === 0 ? '' : ','}${elementText(rows[at]![column] ?? null)}`
  return text + '}'
}

/** A value as an element of an array's text form. */
export function elementText(value: string | null): string {
  if (value === null) return 'NULL'
  return arraySpecial.test(value) ? `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"` : `"${value}"`
}

const arraySpecial = /["\\]/
