/**
 * The control packets of MQTT 3.1, 3.1.1 (protocol level 4) and 5, as plain data. Sources: OASIS "MQTT Version 3.1.1"
 * and "MQTT Version 5.0". The decoder makes them, the encoder writes them.
 */

/** 3.1 is served as 3.1.1: the packets that matter here do not differ. */
export type ProtocolVersion = 4 | 5

export type Qos = 0 | 1 | 2

/** First byte of each packet, flags left out. */
export const packetTypes = {
  connect: 0x10,
  connack: 0x20,
  publish: 0x30,
  puback: 0x40,
  pubrec: 0x50,
  pubrel: 0x60,
  pubcomp: 0x70,
  subscribe: 0x80,
  suback: 0x90,
  unsubscribe: 0xa0,
  unsuback: 0xb0,
  pingreq: 0xc0,
  pingresp: 0xd0,
  disconnect: 0xe0,
  auth: 0xf0,
} as const

/** MQTT 5 reason codes that are used here by name. */
export const reasons = {
  success: 0x00,
  noSubscriptionExisted: 0x11,
  unspecified: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationSpecific: 0x83,
  unsupportedProtocolVersion: 0x84,
  clientIdNotValid: 0x85,
  badUserNameOrPassword: 0x86,
  notAuthorized: 0x87,
  serverBusy: 0x89,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicNameInvalid: 0x90,
  packetIdNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  sharedSubscriptionsNotSupported: 0x9e,
} as const

/** What MQTT 3.1.1 can answer to CONNECT. */
export const returnCodes = {
  accepted: 0,
  unacceptableProtocolVersion: 1,
  identifierRejected: 2,
  serverUnavailable: 3,
  badUserNameOrPassword: 4,
  notAuthorized: 5,
} as const

/** MQTT 5 properties, those present only. */
export interface Properties {
  payloadFormat?: number
  messageExpiry?: number
  contentType?: string
  responseTopic?: string
  correlationData?: Buffer
  subscriptionIds?: number[]
  sessionExpiry?: number
  assignedClientId?: string
  serverKeepAlive?: number
  authenticationMethod?: string
  authenticationData?: Buffer
  requestProblemInformation?: number
  willDelay?: number
  requestResponseInformation?: number
  responseInformation?: string
  serverReference?: string
  reasonString?: string
  receiveMaximum?: number
  topicAliasMaximum?: number
  topicAlias?: number
  maximumQos?: number
  retainAvailable?: number
  /** In the order sent; a name may come more than once. */
  userProperties?: [name: string, value: string][]
  maximumPacketSize?: number
  wildcardSubscriptionAvailable?: number
  subscriptionIdsAvailable?: number
  sharedSubscriptionAvailable?: number
}

export interface Will {
  topic: string
  payload: Buffer
  qos: Qos
  retain: boolean
  properties?: Properties | undefined
}

export interface ConnectPacket {
  type: 'connect'
  /** As sent: 3, 4 or 5; anything else is to be refused with the protocol's own code. */
  protocolLevel: number
  cleanStart: boolean
  keepAliveSeconds: number
  clientId: string
  will?: Will | undefined
  username?: string | undefined
  password?: Buffer | undefined
  properties?: Properties | undefined
}

export interface ConnackPacket {
  type: 'connack'
  sessionPresent: boolean
  /** MQTT 5: a reason code. MQTT 3.1.1: a return code. */
  code: number
  properties?: Properties | undefined
}

export interface PublishPacket {
  type: 'publish'
  topic: string
  qos: Qos
  dup: boolean
  retain: boolean
  /** 0 for QoS 0. */
  packetId: number
  /** A view of the bytes received. */
  payload: Buffer
  properties?: Properties | undefined
}

export interface AckPacket {
  type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp'
  packetId: number
  /** 0 where left out, and always in MQTT 3.1.1. */
  code: number
}

/** Retain handling: 0 send retained messages, 1 only where the subscription is new, 2 never. */
export interface Subscription {
  filter: string
  qos: Qos
  retainAsPublished?: boolean
  retainHandling?: 0 | 1 | 2
}

export interface SubscribePacket {
  type: 'subscribe'
  packetId: number
  subscriptions: Subscription[]
}

export interface UnsubscribePacket {
  type: 'unsubscribe'
  packetId: number
  filters: string[]
}

export interface SubackPacket {
  type: 'suback' | 'unsuback'
  packetId: number
  codes: number[]
  properties?: Properties | undefined
}

export interface DisconnectPacket {
  type: 'disconnect'
  code: number
  properties?: Properties | undefined
}

interface BarePacket {
  type: 'pingreq' | 'pingresp' | 'auth'
}

export type Packet =
  | ConnectPacket
  | ConnackPacket
  | PublishPacket
  | AckPacket
  | SubscribePacket
  | UnsubscribePacket
  | SubackPacket
  | DisconnectPacket
  | BarePacket

type PropertyType = 'byte' | 'uint16' | 'uint32' | 'varint' | 'string' | 'binary' | 'pair'

/** MQTT 5, section 2.2.2.2: identifier, name here, type. */
export const propertyTable = [
  [0x01, 'payloadFormat', 'byte'],
  [0x02, 'messageExpiry', 'uint32'],
  [0x03, 'contentType', 'string'],
  [0x08, 'responseTopic', 'string'],
  [0x09, 'correlationData', 'binary'],
  [0x0b, 'subscriptionIds', 'varint'],
  [0x11, 'sessionExpiry', 'uint32'],
  [0x12, 'assignedClientId', 'string'],
  [0x13, 'serverKeepAlive', 'uint16'],
  [0x15, 'authenticationMethod', 'string'],
  [0x16, 'authenticationData', 'binary'],
  [0x17, 'requestProblemInformation', 'byte'],
  [0x18, 'willDelay', 'uint32'],
  [0x19, 'requestResponseInformation', 'byte'],
  [0x1a, 'responseInformation', 'string'],
  [0x1c, 'serverReference', 'string'],
  [0x1f, 'reasonString', 'string'],
  [0x21, 'receiveMaximum', 'uint16'],
  [0x22, 'topicAliasMaximum', 'uint16'],
  [0x23, 'topicAlias', 'uint16'],
  [0x24, 'maximumQos', 'byte'],
  [0x25, 'retainAvailable', 'byte'],
  [0x26, 'userProperties', 'pair'],
  [0x27, 'maximumPacketSize', 'uint32'],
  [0x28, 'wildcardSubscriptionAvailable', 'byte'],
  [0x29, 'subscriptionIdsAvailable', 'byte'],
  [0x2a, 'sharedSubscriptionAvailable', 'byte'],
] as const satisfies readonly (readonly [number, keyof Properties, PropertyType])[]

const reasonNames: Readonly<Record<number, string>> = {
  0x80: 'unspecified error',
  0x81: 'malformed packet',
  0x82: 'protocol error',
  0x83: 'implementation specific error',
  0x84: 'unsupported protocol version',
  0x85: 'client identifier not valid',
  0x86: 'bad user name or password',
  0x87: 'not authorized',
  0x88: 'server unavailable',
  0x89: 'server busy',
  0x8a: 'banned',
  0x8b: 'server shutting down',
  0x8c: 'bad authentication method',
  0x8d: 'keep alive timeout',
  0x8e: 'session taken over',
  0x8f: 'topic filter invalid',
  0x90: 'topic name invalid',
  0x93: 'receive maximum exceeded',
  0x94: 'topic alias invalid',
  0x95: 'packet too large',
  0x96: 'message rate too high',
  0x97: 'quota exceeded',
  0x98: 'administrative action',
  0x99: 'payload format invalid',
  0x9a: 'retain not supported',
  0x9b: 'QoS not supported',
  0x9c: 'use another server',
  0x9d: 'server moved',
  0x9e: 'shared subscriptions not supported',
  0x9f: 'connection rate exceeded',
  0xa0: 'maximum connect time',
  0xa1: 'subscription identifiers not supported',
  0xa2: 'wildcard subscriptions not supported',
}

const returnCodeNames = [
  'accepted',
  'unacceptable protocol version',
  'identifier rejected',
  'server unavailable',
  'bad user name or password',
  'not authorized',
]

/** `0x87 not authorized`, for messages and logs. */
export function describeCode(code: number): string {
  const name = code < 6 ? returnCodeNames[code] : reasonNames[code]
  return `0x${code.toString(16).padStart(2, '0')}${name === undefined ? '' : ` ${name}`}`
}

/** The other side broke the protocol; the connection has to end. `reason` is the MQTT 5 code to say so with. */
export class MqttProtocolError extends Error {
  override readonly name = 'MqttProtocolError'
  readonly reason: number

  constructor(message: string, reason: number = reasons.malformedPacket) {
    super(message)
    this.reason = reason
  }
}
