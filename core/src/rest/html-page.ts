import { createHash } from 'node:crypto'
import type { FastifyReply } from 'fastify'

/** The page runs its own script and style, asks this server, and nothing else. */
export function sendPage(reply: FastifyReply, page: string): FastifyReply {
  const hashes = (tag: string): string =>
    [...page.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))]
      .map(([, text]) => `'sha256-${createHash('sha256').update(text!).digest('base64')}'`)
      .join(' ')
  return reply
    .header('content-type', 'text/html; charset=utf-8')
    .header('vary', 'accept')
    .header(
      'content-security-policy',
      `default-src 'none'; script-src ${hashes('script')}; style-src ${hashes('style')}; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    )
    .send(page)
}
