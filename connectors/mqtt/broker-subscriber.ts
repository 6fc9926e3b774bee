import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigError, ConnectError, type Logger, RetriableError, type SourceTaskContext } from '@tidewire/sdk'
import { BrokerLink, ConnectRefusedError, hungUp, LinkClosedError, type LinkOptions } from './broker-link.ts'
import { InboundSession } from './inbound-session.ts'
import { type IngestQueue, type MessageOrigin, noTicket } from './ingest-queue.ts'
import { type Mapping, MappingError, type Target } from './mapping.ts'
import {
  type ConnackPacket,
  describeCode,
  MqttProtocolError,
  type ProtocolVersion,
  type PublishPacket,
  type Qos,
  reasons,
} from './packet.ts'
import { recordOverheadBytes, toRecord } from './record.ts'
import {
  type BrokerAddress,
  mappingOf,
  parseBrokerUri,
  type SourceConfig,
  subscriptionFilters,
} from './source-config.ts'
import type { TlsMaterial } from './tls-files.ts'

const firstPauseMs = 250
const longestPauseMs = 15_000
const retainHandling = { once: 1, always: 0, ignore: 2 } as const

/** Refusals that pass: server unavailable or busy, quotas, rates. All others need someone to change something. */
const passing = new Set<number>([3, 0x80, 0x83, 0x88, 0x89, 0x97, 0x9f])

/**
 * Keeps a subscription alive: connects, subscribes, hands messages to the queue, acknowledges what is in the log, and
 * connects again when the connection is lost.
 */
export class BrokerSubscriber implements MessageOrigin {
  heldBytes = 0
  flushDue = false

  readonly #context: SourceTaskContext<SourceConfig>
  readonly #config: SourceConfig
  readonly #log: Logger
  readonly #queue: IngestQueue
  readonly #tls: TlsMaterial
  readonly #mapping: Mapping
  readonly #filters: readonly string[]
  readonly #clientId: string
  readonly #addresses: readonly BrokerAddress[]
  readonly #session = new InboundSession()
  readonly #stop = new AbortController()
  #version: ProtocolVersion
  #link: BrokerLink | undefined
  #stopped = false
  #warnedOfDrop = false
  /** Tickets of messages that were refused, with the code to answer. */
  readonly #refused = new Map<number, number>()

  constructor(context: SourceTaskContext<SourceConfig>, queue: IngestQueue, tls: TlsMaterial) {
    const { config } = context
    this.#context = context
    this.#config = config
    this.#log = context.log
    this.#queue = queue
    this.#tls = tls
    this.#mapping = mappingOf(config)
    const prefix = `${config['mqtt.client.id.prefix']}-${context.connector}`
    // A look must not take the session of the task itself over, nor a share of its messages.
    this.#clientId = context.preview ? `${prefix}-preview-${randomUUID()}` : `${prefix}-${context.task}`
    this.#filters = subscriptionFilters(config).map((filter) =>
      config['mqtt.shared.subscriptions.enabled'] && !context.preview
        ? `$share/${config['mqtt.share.group'] ?? prefix.replace(/[/+#]/g, '_')}/${filter}`
        : filter,
    )
    this.#addresses = config['mqtt.server.uri'].map((uri) => parseBrokerUri(uri))
    this.#version = config['mqtt.version'] === '3.1.1' ? 4 : 5
  }

  /**
   * Runs until it is closed.
   * @throws ConfigError for what only a change can mend; RetriableError when no broker was reached for too long
   */
  async run(): Promise<void> {
    let failingSince: number | undefined
    let pauseMs = firstPauseMs
    for (let attempt = 0; !this.#stopped; attempt++) {
      const address = this.#addresses[attempt % this.#addresses.length]!
      try {
        const link = await this.#connect(address)
        failingSince = undefined
        pauseMs = firstPauseMs
        const error = await link.closed
        if (error !== undefined) throw error
        return
      } catch (error) {
        if (this.#isStopped()) return
        const failure = permanentError(error, address)
        if (failure !== undefined) throw failure
        failingSince ??= performance.now()
        const message = error instanceof Error ? error.message : String(error)
        if (performance.now() - failingSince >= this.#config['max.retry.time.ms']) {
          throw new RetriableError(
            `no broker could be reached for ${this.#config['max.retry.time.ms']} ms: ${message}`,
            {
              code: 'MQTT_UNREACHABLE',
              cause: error,
            },
          )
        }
        this.#log.warn('connection to the broker lost; trying again', { ...this.#where(address), error: message })
      }
      await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal: this.#stop.signal }).catch(() => undefined)
      pauseMs = Math.min(pauseMs * 2, longestPauseMs)
    }
  }

  /** Apart, since the compiler does not see that a wait may change the field. */
  #isStopped(): boolean {
    return this.#stopped
  }

  #where(address: BrokerAddress): { broker: string } {
    return { broker: `${address.host}:${address.port}` }
  }

  async #connect(address: BrokerAddress): Promise<BrokerLink> {
    let link: BrokerLink | undefined
    const options: LinkOptions = {
      address,
      tls: this.#tls,
      version: this.#version,
      connect: this.#connectPacket(),
      connectTimeoutMs: this.#config['mqtt.connect.timeout.seconds'] * 1000,
      maxPacketSize: this.#config['mqtt.max.packet.size'],
      onPublish: (packet) => {
        this.#receive(packet, link!)
      },
      onRelease: (packetId) => {
        this.#session.release(packetId, link!)
      },
      onConnected: (opened, connack) => {
        // Before the first message is looked at, which may have come in the same chunk.
        link = opened
        this.#link = opened
        if (!connack.sessionPresent) this.#session.reset()
      },
    }
    const { connack } = await this.#open(options)
    try {
      await this.#subscribe(link!, connack)
    } catch (error) {
      await link!.close()
      throw error
    }
    this.#log.info('subscribed', {
      ...this.#where(address),
      version: this.#version === 5 ? '5' : '3.1.1',
      clientId: this.#clientId,
      sessionPresent: connack.sessionPresent,
      filters: this.#filters,
    })
    return link!
  }

  async #open(options: LinkOptions): Promise<{ link: BrokerLink; connack: ConnackPacket }> {
    try {
      return await BrokerLink.open(options, this.#stop.signal)
    } catch (error) {
      const unsupported =
        (error instanceof ConnectRefusedError &&
          (error.code === reasons.unsupportedProtocolVersion || (error.code === 1 && this.#version === 5))) ||
        // Some brokers just hang up on a version that they do not know.
        (error instanceof LinkClosedError && error.message === hungUp)
      if (this.#config['mqtt.version'] !== 'auto' || !unsupported) throw error
      this.#version = this.#version === 5 ? 4 : 5
      throw new LinkClosedError(`${error.message}; trying MQTT ${this.#version === 5 ? '5' : '3.1.1'}`, {
        cause: error,
      })
    }
  }

  #connectPacket(): LinkOptions['connect'] {
    const config = this.#config
    const clean = config['mqtt.clean.session.enabled'] || this.#context.preview
    const password = emptyIsNone(config['mqtt.password'])
    return {
      cleanStart: clean,
      keepAliveSeconds: config['mqtt.keepalive.interval.seconds'],
      clientId: this.#clientId,
      username: emptyIsNone(config['mqtt.username']),
      password: password === undefined ? undefined : Buffer.from(password),
      properties: {
        sessionExpiry: clean ? 0 : config['mqtt.session.expiry.seconds'],
        receiveMaximum: config['mqtt.receive.maximum'],
      },
    }
  }

  /**
   * Makes the session's subscriptions those of the config. What the session was subscribed to is kept as a source
   * offset: a persistent session would go on receiving for filters that the config no longer has.
   */
  async #subscribe(link: BrokerLink, connack: ConnackPacket): Promise<void> {
    const config = this.#config
    const partition = { client: this.#clientId }
    // Of a look nothing is acknowledged: with QoS 0 nothing has to be.
    const qos = this.#context.preview ? 0 : (config['mqtt.qos'] as Qos)
    const stored = connack.sessionPresent ? await this.#context.offsets.get(partition) : undefined
    const before = storedFilters(stored?.['filters'])
    const same = stored?.['qos'] === qos && before.length === this.#filters.length
    const wanted = this.#filters.filter((filter) => !same || !before.includes(filter))
    const stale = before.filter((filter) => !this.#filters.includes(filter))
    if (stale.length > 0) await link.unsubscribe(stale)
    const mode = config['mqtt.retained.messages']
    const filters = mode === 'always' ? this.#filters : wanted
    if (filters.length > 0) {
      const codes = await link.subscribe(
        filters.map((filter) => ({
          filter,
          qos,
          // So that the header says what the publisher said.
          retainAsPublished: true,
          // A shared subscription never gets retained messages, and may not say anything but 0.
          retainHandling: filter.startsWith('$share/') ? 0 : retainHandling[mode],
        })),
      )
      this.#checkGranted(filters, codes, qos)
    }
    if (stale.length > 0 || wanted.length > 0) {
      this.#queue.addOffset(partition, { filters: JSON.stringify(this.#filters), qos })
    }
  }

  #checkGranted(filters: readonly string[], codes: readonly number[], qos: Qos): void {
    for (const [index, filter] of filters.entries()) {
      const code = codes[index] ?? reasons.unspecified
      if (code >= 0x80) {
        const text = `the broker refused the subscription to '${filter}': ${describeCode(code)}`
        if (code === 0x97) throw new RetriableError(text, { code: 'MQTT_SUBSCRIPTION_REFUSED' })
        throw new ConfigError(
          `${text}; check mqtt.topics and what the broker allows user and client identifier to read`,
          {
            setting: 'mqtt.topics',
            code: 'MQTT_SUBSCRIPTION_REFUSED',
          },
        )
      }
      if (code < qos)
        this.#log.warn('the broker grants less than the wanted QoS', { filter, wanted: qos, granted: code })
    }
  }

  #receive(packet: PublishPacket, link: BrokerLink): void {
    if (this.#stopped) return
    const ticket = packet.qos === 0 ? noTicket : this.#session.arrive(packet, link)
    if (ticket === undefined) return
    const ignored = packet.retain && this.#config['mqtt.retained.messages'] === 'ignore' && link.version === 4
    const target = ignored ? undefined : this.#target(packet, ticket)
    const format = this.#config['mqtt.payload.format']
    const record = target && toRecord(packet, target, format, Date.now(), undefined, this.#context.deadLetters)
    if (record === undefined && ticket === noTicket) return
    if (!this.#queue.add(this, record, packet.payload.length + recordOverheadBytes, ticket)) link.pause()
  }

  /** Where a message goes; undefined when no topic may have it. Then it is acknowledged, since it would never succeed. */
  #target(packet: PublishPacket, ticket: number): Target | undefined {
    let why = 'no rule covers it'
    try {
      const target = this.#mapping.target(packet.topic, '')
      if (target !== undefined) return target
    } catch (error) {
      if (!(error instanceof MappingError)) throw error
      why = error.message
    }
    if (!this.#warnedOfDrop)
      this.#log.warn('dropped a message (further ones are not logged)', { topic: packet.topic, why })
    this.#warnedOfDrop = true
    if (ticket !== noTicket) this.#refused.set(ticket, reasons.topicNameInvalid)
    return undefined
  }

  acknowledge(ticket: number): void {
    const code = this.#refused.get(ticket)
    if (code !== undefined) this.#refused.delete(ticket)
    this.#session.settle(ticket, this.#link, code)
  }

  flush(): void {
    this.#link?.flush()
  }

  resume(): void {
    if (!this.#stopped) this.#link?.resume()
  }

  /** Takes no more messages; what was taken can still be acknowledged. */
  stopReading(): void {
    this.#stopped = true
    this.#link?.pause()
    if (this.#link === undefined) this.#stop.abort()
  }

  async close(): Promise<void> {
    this.stopReading()
    this.#stop.abort()
    await this.#link?.close()
  }
}

const tlsProblem = /^ERR_SSL_|^ERR_TLS_|CERT|UNABLE_TO_|SELF_SIGNED|^EPROTO$/

/** What cannot mend itself, as the error for the task; undefined for what may. */
export function permanentError(error: unknown, address: BrokerAddress): Error | undefined {
  const broker = `${address.host}:${address.port}`
  if (error instanceof ConnectRefusedError) return refusalError(error, broker)
  if (error instanceof MqttProtocolError) {
    const hint = error.reason === reasons.packetTooLarge ? '; raise mqtt.max.packet.size' : ''
    const text = `${broker} sent what cannot be read: ${error.message}${hint}`
    return new ConnectError(text, { code: 'MQTT_PROTOCOL_ERROR', cause: error })
  }
  if (error instanceof ConnectError) return error
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string' && tlsProblem.test(code)) {
    return new ConfigError(
      `no TLS connection with ${broker}: ${(error as Error).message}; check mqtt.ssl.ca.path, ` +
        'mqtt.ssl.certificate.path, and that the address is a TLS port',
      { setting: 'mqtt.ssl.ca.path', code: 'MQTT_TLS', cause: error },
    )
  }
  return undefined
}

function refusalError(error: ConnectRefusedError, broker: string): Error | undefined {
  if (passing.has(error.code)) return undefined
  const settings: Readonly<Record<number, string>> = {
    1: 'mqtt.version',
    2: 'mqtt.client.id.prefix',
    4: 'mqtt.username',
    5: 'mqtt.username',
    [reasons.unsupportedProtocolVersion]: 'mqtt.version',
    [reasons.clientIdNotValid]: 'mqtt.client.id.prefix',
    [reasons.badUserNameOrPassword]: 'mqtt.username',
    [reasons.notAuthorized]: 'mqtt.username',
  }
  const setting = settings[error.code]
  const hint =
    setting === undefined ? '' : `; check ${setting}${setting === 'mqtt.username' ? ' and mqtt.password' : ''}`
  return new ConfigError(`${broker}: ${error.message}${hint}`, {
    code: 'MQTT_CONNECTION_REFUSED',
    cause: error,
    ...(setting === undefined ? {} : { setting }),
  })
}

function storedFilters(text: unknown): readonly string[] {
  return typeof text === 'string' ? (JSON.parse(text) as string[]) : []
}

function emptyIsNone(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
