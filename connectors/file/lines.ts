const LF = 0x0a
const CR = 0x0d

/** A line's text, and where the next one starts, in bytes from the beginning of the buffer. */
export interface Line {
  readonly text: string
  readonly end: number
}

/**
 * The complete lines at the start of UTF-8 bytes. A line ends with `\n`, `\r\n` or `\r`, as Java's readers have it;
 * a `\r` at the very end waits for the byte that tells which.
 *
 * Each line is decoded by itself: a slice of one large string would cost a third less, and keep all of it in memory
 * for as long as one of its lines is.
 */
export function* completeLines(bytes: Buffer): Generator<Line> {
  let start = 0
  let lf = -1
  let cr = -1
  for (;;) {
    if (lf < start) lf = find(bytes, LF, start)
    if (cr < start) cr = find(bytes, CR, start)
    const stop = Math.min(lf, cr)
    if (stop === Infinity || (stop === cr && cr + 1 === bytes.length)) return
    const end = cr + 1 === lf ? lf + 1 : stop + 1
    yield { text: bytes.toString('utf8', start, stop), end }
    start = end
  }
}

function find(bytes: Buffer, byte: number, from: number): number {
  const at = bytes.indexOf(byte, from)
  return at < 0 ? Infinity : at
}
