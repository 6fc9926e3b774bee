import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { ConfigError, ConnectError, RetriableError, type Logger } from '@tidewire/sdk'
import type pg from 'pg'
import { connect, disconnect, socketOf } from '../../link/connect.ts'
import type { Address } from '../../link/connection-settings.ts'
import { codes, problemOf } from '../../link/errors.ts'
import { quoteIdentifier } from '../../link/identifier.ts'
import { formatLsn, readLsn, writeLsn } from '../../link/lsn.ts'
import { FrameBuffer } from './frame-buffer.ts'
import { identify, type LogIdentity } from './server-log.ts'
import { decodeWalMessage, type WalMessage } from './wal-message.ts'

export interface WalStreamOptions {
  readonly slot: string
  readonly publication: string
  /** Of the server that is to be found; undefined: of any. */
  readonly serverLog?: LogIdentity | undefined
  /** Where to begin; 0, or any position before that of the slot: at the slot's. */
  readonly start: number
  /** More options for pgoutput: of slot.stream.params, by {@link parseStreamParams}. */
  readonly params: Readonly<Record<string, string>>
  /** Whether to send what pg_logical_emit_message writes. PostgreSQL 14 and later. */
  readonly messages: boolean
  /** How often to tell the server that we live, and what is confirmed. More often where its wal_sender_timeout asks for it. */
  readonly statusIntervalMs: number
  /** No more is taken from the socket while so much waits to be read. One message may be larger. */
  readonly maxBufferedBytes: number
  /** How long another session may hold the slot: so many pauses of this length. */
  readonly retries: number
  readonly retryDelayMs: number
  /** Ends waiting, in `open` with its reason. */
  readonly signal: AbortSignal
  readonly log: Logger
}

/** How soon a confirmed position goes to the server at the latest. */
const confirmDelayMs = 50
const closeTimeoutMs = 1000

/**
 * The changes of one slot, as the server streams them. All that came is given in order; when the connection breaks, the
 * rest first and then the reason. Status messages go out by themselves, also while nobody reads.
 */
export class WalStream {
  readonly #client: pg.Client
  readonly #socket: Duplex
  readonly #options: WalStreamOptions
  readonly #frames = new FrameBuffer()
  readonly #timer: NodeJS.Timeout
  readonly #tickMs: number
  readonly #silenceLimitMs: number

  #started = false
  #closing = false
  #inTransaction = false
  #paused = false
  #walEnd: number
  #flushed = 0
  #confirmTimer: NodeJS.Timeout | undefined
  #lastHeard = performance.now()
  #lastTick = performance.now()
  #lastTurn = performance.now()
  #broken: ConnectError | undefined
  #socketError: Error | undefined
  #wake: (() => void) | undefined
  /** Whether {@link WalStream.read} is to return though nothing has come. */
  #isWoken = false
  /** Whether the next keepalive is the answer to {@link WalStream.askPosition}. */
  #isAsked = false

  private constructor(client: pg.Client, options: WalStreamOptions, serverTimeoutMs: number) {
    this.#client = client
    this.#options = options
    this.#walEnd = options.start
    const intervalMs = options.statusIntervalMs > 0 ? options.statusIntervalMs : 10_000
    this.#tickMs = serverTimeoutMs > 0 ? Math.min(intervalMs, serverTimeoutMs / 3) : intervalMs
    // A server whose timeout was raised may be as long about a large transaction of which it sends nothing.
    this.#silenceLimitMs = Math.max(60_000, 2 * intervalMs, serverTimeoutMs)
    this.#socket = socketOf(client)
    // From here on the bytes are ours: the driver would make an object of each message, in a buffer that it uses again.
    this.#socket.removeAllListeners('data')
    this.#socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk)
    })
    this.#socket.on('error', (error) => {
      this.#socketError ??= error
    })
    this.#socket.on('close', () => {
      this.#break(problemOf(this.#socketError ?? new Error('Connection terminated unexpectedly'), this.#what))
    })
    this.#timer = setInterval(() => {
      this.#tick()
    }, this.#tickMs)
    options.signal.addEventListener('abort', this.#wakeUp)
  }

  /**
   * Starts streaming from a slot. Waits for a slot that another session holds, as one of ours may that just ended.
   * @throws ConnectError: the slot or the WAL is gone, the slot is taken, a setting or a privilege is missing
   */
  static async open(address: Address, options: WalStreamOptions): Promise<WalStream> {
    const command = startCommand(options)
    const deadline = performance.now() + options.retries * options.retryDelayMs
    for (let pauseMs = 100; ; pauseMs = Math.min(2 * pauseMs, options.retryDelayMs)) {
      const client = await connect(address, { signal: options.signal, replication: true })
      let stream: WalStream | undefined
      try {
        await checkLog(client, options)
        stream = new WalStream(client, options, await senderTimeoutMs(client))
        await stream.#start(command)
        return stream
      } catch (error) {
        await (stream?.close() ?? disconnect(client))
        const problem = problemOf(error, `starting to read slot "${options.slot}"`)
        if (problem.code !== codes.slotActive || performance.now() + pauseMs > deadline) throw problem
        options.log.debug('the replication slot is in use, trying again', {
          slot: options.slot,
          reason: problem.message,
        })
        await delay(pauseMs, undefined, { signal: options.signal })
      }
    }
  }

  /**
   * The newest position that the server has told. All changes before it have been sent. While it sends, that is the one
   * of what was read last, not the end of its log: for how far behind that is, ask it (`currentLsn` of server.ts).
   */
  get walEnd(): number {
    return this.#walEnd
  }

  /** Whether all up to {@link WalStream.walEnd} was read, and no transaction is open: `walEnd` may be stored, and confirmed. */
  get idle(): boolean {
    return !this.#inTransaction && this.#frames.waitingBytes === 0
  }

  /**
   * What has come: at least one message, or none after `waitMs`, when it is woken or when the signal is aborted. One reader
   * at a time.
   * @throws ConnectError when all is read and the stream has broken; the same one again at each further call
   */
  async read(maxMessages: number, waitMs: number): Promise<readonly WalMessage[]> {
    await this.#giveWay()
    const deadline = performance.now() + waitMs
    while (true) {
      const messages = this.#take(maxMessages)
      if (messages.length > 0) return messages
      if (this.#broken !== undefined) throw this.#broken
      const leftMs = deadline - performance.now()
      if (leftMs <= 0 || this.#isWoken || this.#options.signal.aborted) {
        this.#isWoken = false
        return messages
      }
      await this.#arrival(leftMs)
    }
  }

  /**
   * Tells the server soon that all before this position is safe, and will never be asked for again. Call it with the
   * end of a commit, or with {@link WalStream.walEnd} of an idle stream. A position before the last one changes nothing.
   * @throws RangeError for one that has not been received
   */
  confirm(lsn: number): void {
    if (lsn > this.#walEnd) {
      throw new RangeError(`${formatLsn(lsn)} cannot be confirmed: the stream is at ${formatLsn(this.#walEnd)}`)
    }
    if (lsn <= this.#flushed) return
    this.#flushed = lsn
    this.#confirmTimer ??= setTimeout(() => {
      this.#sendStatus(false)
    }, confirmDelayMs)
  }

  /** Has a {@link WalStream.read} that waits return, or the next one that would wait. */
  wake(): void {
    this.#isWoken = true
    this.#wakeUp()
  }

  /** Asks the server how far it is: of an idle one the stream has no other word. Its answer wakes the reader. */
  askPosition(): void {
    this.#isAsked = true
    this.#sendStatus(true)
  }

  /** Sends the last confirmed position, and ends the stream and its connection, within a second or so. Never throws. */
  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    clearInterval(this.#timer)
    this.#options.signal.removeEventListener('abort', this.#wakeUp)
    if (this.#started && this.#broken === undefined) {
      this.#sendStatus(false)
      this.#socket.write(copyDone)
      this.#resume()
      const deadline = performance.now() + closeTimeoutMs
      while (!this.#readyAgain() && performance.now() < deadline) await this.#arrival(deadline - performance.now())
    }
    clearTimeout(this.#confirmTimer)
    await disconnect(this.#client)
  }

  async #start(command: string): Promise<void> {
    this.#socket.write(query(command))
    while (!this.#started) {
      if (this.#frames.next()) {
        if (this.#frames.type === types.error) throw errorOf(this.#frames)
        this.#started = this.#frames.type === types.copyBoth
        continue
      }
      if (this.#broken !== undefined) throw this.#broken
      this.#options.signal.throwIfAborted()
      await this.#arrival(this.#silenceLimitMs)
    }
    this.#sendStatus(false)
  }

  #receive(chunk: Buffer): void {
    this.#lastHeard = this.#lastTurn = performance.now()
    this.#frames.push(chunk)
    if (this.#frames.waitingBytes >= this.#options.maxBufferedBytes && !this.#closing) {
      this.#paused = true
      this.#socket.pause()
    }
    this.#wakeUp()
  }

  #resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#lastHeard = performance.now()
    this.#socket.resume()
  }

  /** Takes messages out of what came. What is between them, and what breaks the stream, is dealt with on the way. */
  #take(maxMessages: number): WalMessage[] {
    const messages: WalMessage[] = []
    const frames = this.#frames
    try {
      while (messages.length < maxMessages && frames.next()) {
        if (frames.type !== types.copyData) this.#control()
        else if (frames.bytes[frames.start] === contents.walData) messages.push(this.#message())
        else this.#keepalive()
      }
    } catch (error) {
      this.#fail(problemOf(error, this.#what))
    }
    if (this.#paused && frames.waitingBytes < this.#options.maxBufferedBytes / 2) this.#resume()
    return messages
  }

  #message(): WalMessage {
    const { bytes, start, end } = this.#frames
    const lsn = readLsn(bytes, start + 1)
    if (lsn > this.#walEnd) this.#walEnd = lsn
    const message = decodeWalMessage(bytes, start + 25, end, lsn)
    if (message.kind === 'begin') this.#inTransaction = true
    else if (message.kind === 'commit') {
      this.#inTransaction = false
      if (message.endLsn > this.#walEnd) this.#walEnd = message.endLsn
    }
    return message
  }

  #keepalive(): void {
    const { bytes, start } = this.#frames
    if (bytes[start] !== contents.keepalive) return
    this.#walEnd = Math.max(this.#walEnd, readLsn(bytes, start + 1))
    if (this.#isAsked) this.#isWoken = true
    this.#isAsked = false
    if (bytes[start + 17] === 1) this.#sendStatus(false)
  }

  /** All that is no data: an error, the end, or of no interest. */
  #control(): void {
    const { type } = this.#frames
    if (type === types.error) throw errorOf(this.#frames)
    if (type === types.notice) {
      const notice = errorOf(this.#frames)
      // From PostgreSQL 18 on a warning, where it was an error: all changes would be passed over, and count as read.
      if (notice.routine === 'LoadPublications') throw notice
      this.#options.log.debug('notice of the server', { slot: this.#options.slot, notice: notice.message })
      return
    }
    if (type !== types.copyDone && type !== types.commandComplete) return
    throw new RetriableError(`${this.#what}: the server has ended the stream, as it does when it shuts down`, {
      code: codes.unreachable,
    })
  }

  #tick(): void {
    const now = performance.now()
    // A thread that was busy for long has not looked; a socket that is paused does not.
    if (this.#paused || now - this.#lastTick > 2 * this.#tickMs) this.#lastHeard = now
    this.#lastTick = now
    const silentMs = now - this.#lastHeard
    if (silentMs <= this.#silenceLimitMs) {
      this.#sendStatus(silentMs > this.#silenceLimitMs / 3)
      return
    }
    const message = `${this.#what}: nothing has come from the server for ${Math.round(silentMs / 1000)} s, though it was asked to answer`
    this.#fail(new RetriableError(message, { code: codes.unreachable }))
  }

  #sendStatus(askForReply: boolean): void {
    clearTimeout(this.#confirmTimer)
    this.#confirmTimer = undefined
    if (this.#started && this.#socket.writable) this.#socket.write(status(this.#walEnd, this.#flushed, askForReply))
  }

  #fail(error: ConnectError): void {
    this.#break(error)
    this.#socket.destroy()
  }

  #break(error: ConnectError): void {
    this.#broken ??= error
    clearInterval(this.#timer)
    clearTimeout(this.#confirmTimer)
    this.#wakeUp()
  }

  readonly #wakeUp = (): void => {
    this.#wake?.()
  }

  /** Until something happens, at most so long. */
  async #arrival(waitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
    this.#lastTurn = performance.now()
  }

  /** While there is always something to read, the socket and the timers have their turn too. */
  async #giveWay(): Promise<void> {
    if (performance.now() - this.#lastTurn < 20) return
    await nextTurn()
    this.#lastTurn = performance.now()
  }

  /** Whether the server has taken our leave; what it still sent is dropped. */
  #readyAgain(): boolean {
    if (this.#broken !== undefined) return true
    while (this.#frames.next()) if (this.#frames.type === types.readyForQuery) return true
    return false
  }

  get #what(): string {
    return `reading slot "${this.#options.slot}"`
  }
}

/** Types of the server's messages. */
const types = {
  copyData: 0x64,
  copyBoth: 0x57,
  copyDone: 0x63,
  commandComplete: 0x43,
  readyForQuery: 0x5a,
  error: 0x45,
  notice: 0x4e,
} as const

/** Types of what is in copyData. */
const contents = { walData: 0x77, keepalive: 0x6b } as const

const copyDone = Buffer.from([types.copyDone, 0, 0, 0, 4])

function query(text: string): Buffer {
  const body = Buffer.from(`${text}\0`)
  const head = Buffer.from([0x51, 0, 0, 0, 0])
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

/** Standby status update: written, flushed and applied up to, the time, and whether to answer at once. */
function status(written: number, flushed: number, askForReply: boolean): Buffer {
  const bytes = Buffer.alloc(39)
  bytes[0] = types.copyData
  bytes.writeUInt32BE(38, 1)
  bytes[5] = 0x72
  writeLsn(bytes, 6, written)
  writeLsn(bytes, 14, flushed)
  writeLsn(bytes, 22, flushed)
  // Microseconds since 2000.
  bytes.writeBigInt64BE(BigInt(Date.now() - 946_684_800_000) * 1000n, 30)
  bytes[38] = askForReply ? 1 : 0
  return bytes
}

/** The server's error or notice as the driver gives it: an Error with the fields' names. */
function errorOf(frames: FrameBuffer): Error & { readonly routine: string | undefined } {
  const fields = new Map<string, string>()
  let at = frames.start
  while (at < frames.end && frames.bytes[at] !== 0) {
    const end = frames.bytes.indexOf(0, at + 1)
    fields.set(String.fromCharCode(frames.bytes[at]!), frames.bytes.toString('utf8', at + 1, end))
    at = end + 1
  }
  return Object.assign(new Error(fields.get('M') ?? 'an error without a message'), {
    code: fields.get('C'),
    detail: fields.get('D'),
    hint: fields.get('H'),
    routine: fields.get('R'),
  })
}

/** The server's wal_sender_timeout; 0: none. */
async function senderTimeoutMs(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ setting: string }>(
    "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'",
  )
  return Number(rows[0]?.setting ?? 0)
}

/** Behind one address there may be another server by now: what was found out of the one before does not hold for it. */
async function checkLog(client: pg.Client, { serverLog, slot }: WalStreamOptions): Promise<void> {
  if (serverLog === undefined) return
  const { systemId, timeline } = await identify(client)
  if (systemId === serverLog.systemId && timeline === (serverLog.timeline ?? timeline)) return
  throw new RetriableError(`starting to read slot "${slot}": another server has taken over meanwhile`, {
    code: codes.unreachable,
  })
}

function startCommand({ slot, publication, start, messages, params }: WalStreamOptions): string {
  const options = {
    proto_version: '1',
    publication_names: quoteIdentifier(publication),
    ...(messages ? { messages: 'true' } : {}),
    ...params,
  }
  // Replication commands know no escapes in texts but the doubled quote.
  const list = Object.entries(options).map(
    ([name, value]) => `${quoteIdentifier(name)} '${value.replaceAll("'", "''")}'`,
  )
  return `START_REPLICATION SLOT ${quoteIdentifier(slot)} LOGICAL ${formatLsn(start)} (${list.join(', ')})`
}

/** Options that change what is sent into what is not understood here. */
const ownOptions = new Set(['proto_version', 'publication_names', 'binary', 'streaming', 'two_phase'])

/**
 * `name=value;name=value` of slot.stream.params.
 * @throws ConfigError
 */
export function parseStreamParams(text: string): Record<string, string> {
  const params: Record<string, string> = {}
  for (const part of text.split(';').map((piece) => piece.trim())) {
    if (part === '') continue
    const [, name, value] = /^([^=\s]+)\s*=\s*(.*)$/.exec(part) ?? []
    if (name === undefined || value === undefined) throw badParams(`"${part}" is not name=value`)
    if (ownOptions.has(name)) throw badParams(`${name} cannot be set`)
    params[name] = value
  }
  return params
}

function badParams(problem: string): ConfigError {
  return new ConfigError(`slot.stream.params: ${problem}`, { setting: 'slot.stream.params' })
}
