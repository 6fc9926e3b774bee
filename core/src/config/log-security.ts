/** How a worker reaches a log that is secured: Kafka's client settings, and what they stand for. */
import { defineConfig, type ConfigOf } from '@tidewire/sdk'
import { loadSsl, sslSettings, type SslMaterial } from './ssl-settings.ts'

const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
type Mechanism = (typeof mechanisms)[number]

export const logSecuritySettings = defineConfig({
  'security.protocol': {
    type: 'string',
    default: 'PLAINTEXT',
    enum: ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'],
    doc: 'How the log is reached.',
  },
  'sasl.mechanism': {
    type: 'string',
    enum: mechanisms,
    doc: 'How the worker shows who it is. Kafka: GSSAPI by default, which is not here; needed with SASL.',
  },
  'sasl.jaas.config': {
    type: 'password',
    doc: 'The login, as Kafka’s clients take it: org.apache.kafka.common.security.scram.ScramLoginModule (or …plain.PlainLoginModule) required username="…" password="…";',
  },
  'ssl.endpoint.identification.algorithm': {
    type: 'string',
    default: 'https',
    enum: ['https', ''],
    importance: 'low',
    doc: 'Whether the certificate of the log must be for the host connected to (https); empty: any host.',
  },
  ...sslSettings,
})

type LogSecurityConfig = ConfigOf<typeof logSecuritySettings>

/** As the client takes it. */
export interface LogSecurity {
  readonly tls?: SslMaterial & { readonly verifyHost: boolean }
  readonly sasl?: { readonly mechanism: Mechanism; readonly username: string; readonly password: string }
}

/**
 * Reads and checks what the settings say together.
 * @throws Error that names the setting, and never what is secret
 */
export async function loadLogSecurity(config: LogSecurityConfig): Promise<LogSecurity> {
  const protocol = config['security.protocol']
  const usesTls = protocol === 'SSL' || protocol === 'SASL_SSL'
  const verifyHost = config['ssl.endpoint.identification.algorithm'] === 'https'
  return {
    ...(usesTls ? { tls: { ...(await loadSsl(config)), verifyHost } } : {}),
    ...(protocol.startsWith('SASL_') ? { sasl: loginOf(config) } : {}),
  }
}

function loginOf(config: LogSecurityConfig): NonNullable<LogSecurity['sasl']> {
  const mechanism = config['sasl.mechanism']
  const jaas = config['sasl.jaas.config']
  if (mechanism === undefined) throw new Error(`sasl.mechanism: needed with ${config['security.protocol']}`)
  if (jaas === undefined) throw new Error(`sasl.jaas.config: needed with ${config['security.protocol']}`)
  const { module, options } = parseJaas(jaas)
  const expected = mechanism === 'PLAIN' ? 'PlainLoginModule' : 'ScramLoginModule'
  if (module.split('.').at(-1) !== expected) {
    throw new Error(`sasl.jaas.config: ${mechanism} needs a ${expected}, and it names another module`)
  }
  const { username, password } = options
  if (username === undefined || password === undefined) {
    throw new Error('sasl.jaas.config: username and password are needed')
  }
  return { mechanism, username, password }
}

/**
 * One login of JAAS: `module required name="value" …;`. Values stand in either quotes, with backslashes before what
 * would end them, or in none.
 * @throws Error that says nothing of the text
 */
export function parseJaas(text: string): { module: string; options: Record<string, string> } {
  const head = /^\s*([\w.$]+)\s+(?:required|requisite|sufficient|optional)(?=[\s;])/i.exec(text)
  if (head === null) throw new Error('sasl.jaas.config: expected a login module and "required"')
  const options: Record<string, string> = {}
  const option = /\s*([\w.]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;"'=]+))/sy
  option.lastIndex = head[0].length
  let end = head[0].length
  for (let match = option.exec(text); match !== null; match = option.exec(text)) {
    const quoted = match[2] ?? match[3]
    options[match[1]!] = quoted === undefined ? match[4]! : unescape(quoted)
    end = option.lastIndex
  }
  if (!/^\s*;\s*$/.test(text.slice(end))) {
    throw new Error('sasl.jaas.config: expected options as name="value", and one semicolon at the end')
  }
  return { module: head[1]!, options }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' }

const unescape = (text: string): string => text.replaceAll(/\\(.)/gs, (_, sign: string) => escapes[sign] ?? sign)
