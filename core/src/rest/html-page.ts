import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply } from 'fastify'

/**
 * A page runs the scripts and styles that this server has as files, asks this server, and nothing else; no text becomes
 * markup in it (`trusted-types`), and no other page frames it or gets hold of its window.
 */
const pageHeaders = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
}

/** A browser that was given the address, and no program. */
export function asksForPage({ accept }: IncomingHttpHeaders): boolean {
  return accept?.includes('text/html') === true
}

export function sendPage(reply: FastifyReply, page: string): FastifyReply {
  return reply
    .headers(pageHeaders)
    .header('content-type', 'text/html; charset=utf-8')
    .header('vary', 'accept')
    .send(page)
}
