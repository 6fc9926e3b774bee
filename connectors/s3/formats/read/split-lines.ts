import type { ReadOptions } from './object-reader.ts'

/** A line of an object; of one that is too long, its beginning. */
export interface Line {
  readonly bytes: Buffer
  readonly isTooLong: boolean
}

/** What is kept of a line that is too long, to know it by. */
const shownBytes = 1024

/**
 * Pieces to lines, as many at a time as a piece ends. A line takes `maxBytes` at most; of a longer one only the beginning
 * is held.
 */
export async function* splitLines(
  pieces: AsyncIterable<Buffer>,
  separator: Buffer,
  maxBytes: NonNullable<ReadOptions['maxRecordBytes']>,
): AsyncGenerator<readonly Line[], void> {
  const open = new OpenLine(maxBytes)
  let rest: Buffer = Buffer.alloc(0)
  for await (const piece of pieces) {
    // A separator may come in two pieces: so many bytes may be the beginning of one.
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    const lines: Line[] = []
    let at = 0
    for (let end = bytes.indexOf(separator); end >= 0; end = bytes.indexOf(separator, at)) {
      lines.push(open.end(bytes.subarray(at, end)))
      at = end + separator.length
    }
    const kept = Math.min(bytes.length - at, separator.length - 1)
    open.add(bytes.subarray(at, bytes.length - kept))
    rest = bytes.subarray(bytes.length - kept)
    if (lines.length > 0) yield lines
  }
  const last = open.end(rest)
  if (last.bytes.length > 0) yield [last]
}

/** A line that goes on in the next piece. */
class OpenLine {
  readonly #maxBytes: number
  #parts: Buffer[] = []
  #length = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(part: Buffer): void {
    if (part.length === 0) return
    const before = this.#length
    this.#length += part.length
    if (this.#length <= this.#maxBytes) this.#parts.push(part)
    else if (before <= this.#maxBytes) {
      // Its own memory, not that of pieces which nothing else holds.
      this.#parts = [Buffer.from(Buffer.concat([...this.#parts, part]).subarray(0, shownBytes))]
    }
  }

  end(part: Buffer): Line {
    this.add(part)
    const isTooLong = this.#length > this.#maxBytes
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
    this.#parts = []
    this.#length = 0
    return { bytes, isTooLong }
  }
}
