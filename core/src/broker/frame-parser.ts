/** Bytes that cannot be a request: the connection has to be closed. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
}

/** API key, version and correlation id. */
const smallestFrame = 8

/** Pieces from this size on are left alone. */
const mergedBytes = 16 * 1024

/**
 * Cuts a byte stream into the frames of the protocol (four bytes of size, then as many bytes). Holds what has arrived
 * and no more, whatever size a frame announces.
 */
export class FrameParser {
  /** The largest frame accepted. */
  maxBytes: number
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  /** Bytes that are held. */
  get bufferedBytes(): number {
    return this.#bytes
  }

  /** Pieces that they are held in. */
  get chunks(): number {
    return this.#chunks.length
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    // A chunk of one byte takes hundreds: who sends byte by byte must not hold more than was sent. Each merge at least
    // doubles a piece, so that no byte is copied often.
    for (let last = this.#chunks.length - 1; last > 0 && this.#chunks[last]!.length < mergedBytes; last--) {
      const pieces = this.#chunks.slice(-2)
      if (pieces[0]!.length > 2 * pieces[1]!.length) return
      this.#chunks.splice(-2, 2, Buffer.concat(pieces))
    }
  }

  /**
   * Size of the frame at hand; undefined before its first four bytes are there.
   * @throws FrameError
   */
  frameSize(): number | undefined {
    if (this.#bytes < 4) return undefined
    if (this.#chunks[0]!.length < 4) this.#chunks = [Buffer.concat(this.#chunks)]
    const size = this.#chunks[0]!.readInt32BE(0)
    if (size >= smallestFrame && size <= this.maxBytes) return size
    throw new FrameError(
      otherProtocol(size) ?? `a frame of ${size} bytes; ${smallestFrame} to ${this.maxBytes} are accepted`,
    )
  }

  /** The frame at hand without its size, once it is complete. A view where it arrived in one piece. */
  take(): Buffer | undefined {
    const size = this.frameSize()
    if (size === undefined || this.#bytes < 4 + size) return undefined
    const end = 4 + size
    let pieces = 1
    let length = this.#chunks[0]!.length
    while (length < end) length += this.#chunks[pieces++]!.length
    const last = this.#chunks[pieces - 1]!
    const frame = pieces === 1 ? last : Buffer.concat(this.#chunks.slice(0, pieces), end)
    // Of its own piece, or a few bytes of the next frame would keep all of a large one in memory.
    const rest = length > end ? [last.subarray(last.length - (length - end))] : []
    this.#chunks.splice(0, pieces, ...rest)
    this.#bytes -= end
    return frame.subarray(4, end)
  }
}

/** What the first bytes say where they are of another protocol. */
function otherProtocol(size: number): string | undefined {
  // A handshake record of TLS 1.0 to 1.3.
  if (size >>> 16 === 0x1603) return 'a TLS handshake, on a listener without TLS'
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(size)
  return /^(GET |HEAD|POST|PUT )$/.test(bytes.toString('latin1')) ? 'an HTTP request' : undefined
}
