/**
 * The network between one client and a log of one node, which can be cut and healed. Addresses in the log's answers
 * are replaced by the proxy's own, so that nothing goes past it.
 */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/**
 * `refused`: connections end, and new ones end at once. `silent`: connections stay and new ones are accepted, but
 * nothing passes, either way; what was under way passes when it is healed, as late packets do.
 */
export type Cut = 'refused' | 'silent'

export interface CuttableProxy {
  readonly address: string
  cut(how: Cut): void
  heal(): void
  close(): Promise<void>
}

/** Answers that tell addresses are small; in anything larger none is looked for. */
const maxTellingBytes = 64 * 1024

/** @param target the log, as `127.0.0.1:port`, which is also what it tells its clients */
export async function cuttableProxy(target: string): Promise<CuttableProxy> {
  const [host = '', targetPort = ''] = target.split(':')
  const pairs = new Set<readonly [Socket, Socket]>()
  let state: 'open' | Cut = 'open'
  const server = createServer({ pauseOnConnect: true }, (from) => {
    if (state === 'refused') {
      from.destroy()
      return
    }
    const on = connect(Number(targetPort), host)
    const pair = [from, on] as const
    pairs.add(pair)
    const end = (): void => {
      pairs.delete(pair)
      for (const socket of pair) socket.destroy()
    }
    for (const socket of pair) socket.setNoDelay(true).on('error', end).on('close', end)
    const answers = new AddressReplacer(Number(targetPort), port)
    from.on('data', (chunk: Buffer) => on.write(chunk))
    on.on('data', (chunk: Buffer) => {
      for (const piece of answers.take(chunk)) from.write(piece)
    })
    if (state === 'silent') on.pause()
    else from.resume()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    address: `127.0.0.1:${port}`,
    cut: (how) => {
      state = how
      for (const sockets of [...pairs]) {
        for (const socket of sockets) {
          if (how === 'refused') socket.destroy()
          else socket.pause()
        }
      }
    },
    heal: () => {
      state = 'open'
      for (const socket of [...pairs].flat()) socket.resume()
    },
    close: async () => {
      server.close()
      for (const socket of [...pairs].flat()) socket.destroy()
      await once(server, 'close')
    },
  }
}

/** Has every `127.0.0.1:target` in the log's answers say another port. Of the same length, so the frames stay as they are. */
class AddressReplacer {
  readonly #told: Buffer
  readonly #instead: Buffer
  #held: Buffer = Buffer.alloc(0)
  /** Bytes still to come of a frame that is too large to be looked into. */
  #passing = 0

  constructor(targetPort: number, port: number) {
    this.#told = addressBytes(targetPort)
    this.#instead = addressBytes(port)
  }

  take(chunk: Buffer): Buffer[] {
    const out: Buffer[] = []
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    for (;;) {
      if (this.#passing > 0) {
        const passed = rest.subarray(0, this.#passing)
        this.#passing -= passed.length
        if (passed.length > 0) out.push(passed)
        rest = rest.subarray(passed.length)
      }
      if (rest.length < 4) break
      const length = 4 + rest.readInt32BE(0)
      if (length > maxTellingBytes) {
        this.#passing = length
        continue
      }
      if (rest.length < length) break
      const frame = rest.subarray(0, length)
      for (let at = frame.indexOf(this.#told); at >= 0; at = frame.indexOf(this.#told, at + 1)) {
        this.#instead.copy(frame, at)
      }
      out.push(frame)
      rest = rest.subarray(length)
    }
    this.#held = rest
    return out
  }
}

/** As the protocol writes a node: the host, then the port as an int32. */
function addressBytes(port: number): Buffer {
  const bytes = Buffer.from('127.0.0.1    ')
  bytes.writeInt32BE(port, bytes.length - 4)
  return bytes
}
