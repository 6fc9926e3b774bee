/** `response.http.headers.config`: headers of every answer, in Kafka Connect's notation (that of Jetty's HeaderFilter). */
import type { FastifyInstance } from 'fastify'

const actions = ['set', 'add', 'setDate', 'addDate'] as const

export interface HeaderRule {
  readonly action: (typeof actions)[number]
  readonly name: string
  /** For dates the milliseconds from now. */
  readonly value: string
}

/** @throws Error that names the setting and the part at fault */
export function parseHeaderRules(text: string): HeaderRule[] {
  return splitQuoted(text).map((part) => {
    const [, action, name = '', value = ''] = /^(\w+)\s+([^\s:]+)\s*:\s*(.*)$/.exec(part) ?? []
    const known = actions.find((each) => each.toLowerCase() === action?.toLowerCase())
    const isHeader = /^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\x20-\x7e]*$/.test(value)
    if (known === undefined || !isHeader) {
      throw new Error(
        `response.http.headers.config: "${part}" is not one of ${actions.join(', ')} with a name, a colon and a value`,
      )
    }
    if (known.endsWith('Date') && !/^-?\d{1,15}$/.test(value)) {
      throw new Error(`response.http.headers.config: "${part}" needs a number of milliseconds`)
    }
    return { action: known, name: name.toLowerCase(), value }
  })
}

/** What is set gives way to what the answer has of that name; what is added comes beside it. */
export function sendHeaders(app: FastifyInstance, rules: readonly HeaderRule[]): void {
  if (rules.length === 0) return
  app.addHook('onSend', async (_, reply) => {
    for (const { action, name, value } of rules) {
      const text = action.endsWith('Date') ? new Date(Date.now() + Number(value)).toUTCString() : value
      const present = reply.getHeader(name)
      if (action.startsWith('add') && present !== undefined) {
        void reply.header(name, [present, text].flat().map(String))
      } else if (present === undefined) {
        void reply.header(name, text)
      }
    }
  })
}

/** Parts between commas; a part, or some of it, may stand in double quotes. */
function splitQuoted(text: string): string[] {
  const parts = text.match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g) ?? []
  return parts
    .map((part) =>
      part.trim().replaceAll(/"((?:[^"\\]|\\.)*)"/g, (_, quoted: string) => quoted.replaceAll(/\\(.)/g, '$1')),
    )
    .filter((part) => part !== '')
}
