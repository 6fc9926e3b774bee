import { defineConfig } from '@tidewire/sdk'
import { sslSettings } from '../config/ssl-settings.ts'

export const securityProtocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const
export type SecurityProtocol = (typeof securityProtocols)[number]

const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
export type SaslMechanism = (typeof saslMechanisms)[number]

const endpoint = '^[\\w.-]+://\\S*:\\d+$'

/** Who may connect, and how: see docs/security.md. */
export const securitySettings = defineConfig({
  'log.listeners': {
    type: 'list',
    default: [],
    pattern: endpoint,
    importance: 'high',
    doc: 'Further listeners beside the one at bind.address and log.port, as PROTOCOL://host:port with PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, or a name of listener.security.protocol.map; an empty host stands for all addresses. Kafka: listeners, a name that REST has here.',
  },
  'log.advertised.listeners': {
    type: 'list',
    default: [],
    pattern: endpoint,
    importance: 'high',
    doc: 'What clients of a listener are told to connect to, by its protocol or name. Left out: the address of the listener, or on a wildcard that at which the client came in. Kafka: advertised.listeners.',
  },
  'listener.security.protocol.map': {
    type: 'list',
    default: [],
    pattern: `^\\s*[\\w.-]+\\s*:\\s*(${securityProtocols.join('|')})\\s*$`,
    doc: 'Names for listeners, as NAME:PROTOCOL, so that two of one protocol can be told apart in log.advertised.listeners.',
  },
  'log.security.protocol': {
    type: 'string',
    default: 'PLAINTEXT',
    enum: securityProtocols,
    importance: 'high',
    doc: 'The security protocol of the listener at bind.address and log.port.',
  },
  'sasl.enabled.mechanisms': {
    type: 'list',
    default: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'],
    enum: saslMechanisms,
    doc: 'Mechanisms of the SASL listeners. Kafka: GSSAPI by default, which is not here.',
  },
  'sasl.users.file': {
    type: 'string',
    importance: 'high',
    doc: 'File of the users and their salted keys, which tidewire user writes. It is read again when it changes. Not a setting of Kafka.',
  },
  'connections.max.reauth.ms': {
    type: 'long',
    default: 0,
    minimum: 0,
    doc: 'How long a SASL client may stay without authenticating again; 0: for ever.',
  },
  'connection.failed.authentication.delay.ms': {
    type: 'int',
    default: 100,
    minimum: 0,
    maximum: 60_000,
    doc: 'How late a failed authentication is answered, in milliseconds.',
  },
  'ssl.client.auth': {
    type: 'string',
    default: 'none',
    enum: ['none', 'requested', 'required'],
    doc: 'Whether clients of TLS listeners must show a certificate that ssl.truststore.location vouches for.',
  },
  ...sslSettings,
})
