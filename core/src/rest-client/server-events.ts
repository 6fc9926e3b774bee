/** Reads what comes piece by piece: lines, and server-sent events (WHATWG HTML, section 9.2). */

/** Longest line taken; a server that sends a longer one is not ours. */
const maxLineChars = 64 * 1024 * 1024

export interface ServerEvent {
  /** What `Last-Event-ID` takes, to go on after it. */
  readonly id: string
  /** `message` where the server named none. */
  readonly event: string
  readonly data: string
}

/** Lines without their ends (`\n` or `\r\n`), the last also where it has none. @throws Error when one is too long */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let left = ''
  for await (const chunk of chunks) {
    const lines = decoder.decode(chunk, { stream: true }).split('\n')
    lines[0] = left + lines[0]!
    left = lines.pop()!
    if (left.length > maxLineChars) throw new Error(`a line of more than ${maxLineChars} characters came`)
    for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line
  }
  left += decoder.decode()
  if (left !== '') yield left
}

/** Events; comments are passed over, and so is one that the end cut off. */
export async function* eventsOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  let id = ''
  let event = ''
  let data: string[] = []
  for await (const line of linesOf(chunks)) {
    if (line === '') {
      if (data.length > 0) yield { id, event: event === '' ? 'message' : event, data: data.join('\n') }
      event = ''
      data = []
      continue
    }
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1))
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value
    else if (field === 'id' && !value.includes('\0')) id = value
  }
}
