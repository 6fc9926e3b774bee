import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

/** A standby status update. */
export interface Status {
  readonly written: number
  readonly flushed: number
  readonly askedForReply: boolean
}

/** Speaks enough of the server's protocol to log in and stream, and then sends what a test says. */
export interface FakeWalSender {
  readonly port: number
  /** What the client asked for with START_REPLICATION. */
  readonly command: () => string | undefined
  readonly statuses: readonly Status[]
  send(bytes: Buffer): void
  /** How much of what was sent the system has not taken yet. */
  readonly unsentBytes: () => number
  /** Breaks the connection. */
  cut(): void
  close(): Promise<void>
}

/** One message of the server: its type, and its body. */
export function frame(type: string, body: Buffer): Buffer {
  const head = Buffer.from(`${type}0000`)
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

export function walData(lsn: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(25)
  head.write('w')
  head.writeBigUInt64BE(BigInt(lsn), 1)
  head.writeBigUInt64BE(BigInt(lsn), 9)
  return frame('d', Buffer.concat([head, payload]))
}

export function keepalive(walEnd: number, askForReply: boolean): Buffer {
  const body = Buffer.alloc(18)
  body.write('k')
  body.writeBigUInt64BE(BigInt(walEnd), 1)
  body[17] = askForReply ? 1 : 0
  return frame('d', body)
}

/** @param senderTimeoutMs what it says its wal_sender_timeout is */
export async function fakeWalSender(senderTimeoutMs = 0): Promise<FakeWalSender> {
  const statuses: Status[] = []
  let command: string | undefined
  let client: Socket | undefined
  const server = createServer((socket) => {
    client = socket
    let bytes = Buffer.alloc(0)
    let startedUp = false
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      while (bytes.length >= (startedUp ? 5 : 4)) {
        const length = startedUp ? 1 + bytes.readUInt32BE(1) : bytes.readUInt32BE(0)
        if (bytes.length < length) return
        const message = bytes.subarray(0, length)
        bytes = bytes.subarray(length)
        if (!startedUp) socket.write(Buffer.concat([frame('R', Buffer.alloc(4)), ready]))
        else if (message[0] === 0x51) answer(socket, message.toString('utf8', 5, length - 1))
        else if (message[0] === 0x64) statuses.push(statusOf(message))
        else if (message[0] === 0x63) socket.write(Buffer.concat([frame('c', Buffer.alloc(0)), complete, ready]))
        startedUp = true
      }
    })
  })
  const answer = (socket: Socket, text: string): void => {
    if (text.startsWith('START_REPLICATION')) {
      command = text
      socket.write(frame('W', Buffer.alloc(3)))
    } else if (text.includes('wal_sender_timeout'))
      socket.write(Buffer.concat([row(String(senderTimeoutMs)), complete, ready]))
    else socket.write(Buffer.concat([complete, ready]))
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    command: () => command,
    statuses,
    send: (bytes) => client!.write(bytes),
    unsentBytes: () => client!.writableLength,
    cut: () => client!.resetAndDestroy(),
    close: async () => {
      client?.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const ready = frame('Z', Buffer.from('I'))
const complete = frame('C', Buffer.from('SELECT 1\0'))

/** A result of one row with one column, `setting`. */
function row(value: string): Buffer {
  const field = Buffer.concat([Buffer.from('\0\x01setting\0'), Buffer.alloc(18)])
  const length = Buffer.alloc(6)
  length.writeUInt16BE(1)
  length.writeUInt32BE(value.length, 2)
  return Buffer.concat([frame('T', field), frame('D', Buffer.concat([length, Buffer.from(value)]))])
}

function statusOf(message: Buffer): Status {
  return {
    written: Number(message.readBigUInt64BE(6)),
    flushed: Number(message.readBigUInt64BE(14)),
    askedForReply: message[38] === 1,
  }
}
