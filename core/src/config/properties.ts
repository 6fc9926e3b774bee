/**
 * Java's properties format, which Kafka's settings files are in: `name=value`, `name: value` or `name value`, comments with
 * `#` and `!`, lines continued by a backslash, and the escapes `\n`, `\t`, `\r`, `\f`, `\uXXXX`; a backslash before any
 * other character stands for that character. Blanks at the end of a value are dropped, since Kafka drops them later.
 * @throws Error that names the line
 */
export function parseProperties(text: string): Record<string, string> {
  const settings: Record<string, string> = {}
  let begun: { text: string; line: number } | undefined
  for (const [index, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = raw.trimStart()
    if (begun === undefined && (line === '' || line.startsWith('#') || line.startsWith('!'))) continue
    const whole: { text: string; line: number } = begun ?? { text: '', line: index + 1 }
    const goesOn = /(?:^|[^\\])(?:\\\\)*\\$/.test(line)
    whole.text += goesOn ? line.slice(0, -1) : line
    begun = goesOn ? whole : undefined
    if (!goesOn) put(settings, whole)
  }
  if (begun !== undefined) put(settings, begun)
  return settings
}

function put(settings: Record<string, string>, { text, line }: { readonly text: string; readonly line: number }): void {
  const match = /^((?:\\.|[^\\=:\s])+)(?:\s*[=:]\s*|\s+|$)(.*)$/s.exec(text)
  if (match === null) throw new Error(`line ${line}: expected name=value`)
  settings[unescape(match[1]!, line)] = unescape(match[2]!.replace(/(?<!\\)\s+$/, ''), line)
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f' }

function unescape(text: string, line: number): string {
  return text.replaceAll(/\\(u[0-9a-fA-F]{4}|[^])/g, (_, sign: string) => {
    if (sign.length > 1) return String.fromCharCode(parseInt(sign.slice(1), 16))
    if (sign === 'u') throw new Error(`line ${line}: \\u needs four hexadecimal digits`)
    return escapes[sign] ?? sign
  })
}
