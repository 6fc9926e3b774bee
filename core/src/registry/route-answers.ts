/** How what the registry knows is written into answers. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Changed } from './registry.ts'
import type { ShownSchema } from './registry-reads.ts'
import type { ConfigValue } from './schema-records.ts'
import { answerType } from './media-types.ts'

/** The body may be text that stands for itself (a schema), or what becomes JSON. */
export function send(request: FastifyRequest, reply: FastifyReply, body: unknown, status = 200): FastifyReply {
  return sendText(request, reply, JSON.stringify(body), status)
}

export function sendText(request: FastifyRequest, reply: FastifyReply, text: string, status = 200): FastifyReply {
  const type = answerType(request.headers.accept) ?? 'application/json'
  // As bytes: nothing is put behind the type then, for which some clients look to the letter.
  return reply.code(status).header('content-type', type).send(Buffer.from(text))
}

/** What has been changed here, or what the leader has answered. */
export function sendChanged<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  changed: Changed<T>,
  shown: (answer: T) => unknown,
): FastifyReply {
  if ('passedBack' in changed) return sendText(request, reply, changed.passedBack.body, changed.passedBack.status)
  return send(request, reply, shown(changed.answer))
}

/** A version of a subject. */
export function versionBody(schema: ShownSchema & { readonly aliases?: readonly string[] }): object {
  const { subject, version, id, guid, schemaType, references, metadata, ruleSet, timestamp, deleted, aliases } = schema
  const text = schema.schema
  return {
    subject,
    version,
    id,
    guid,
    schemaType,
    references,
    metadata,
    ruleSet,
    schema: text,
    ts: timestamp,
    deleted,
    aliases,
  }
}

/** A schema that was asked for by its id; of which subject is told only to those who have named one. */
export function schemaBody(schema: ShownSchema, isOfSubject: boolean, maxId: number | undefined): object {
  const { subject, version, guid, schemaType, references, metadata, ruleSet, timestamp, deleted } = schema
  const whose = isOfSubject ? { subject, version } : {}
  return {
    ...whose,
    guid,
    schemaType,
    schema: schema.schema,
    references,
    metadata,
    ruleSet,
    maxId,
    ts: timestamp,
    deleted,
  }
}

/** What a registration has come to. */
export function registeredBody(schema: Omit<ShownSchema, 'deleted'>): object {
  const { id, version, guid, schemaType, references, metadata, ruleSet } = schema
  return { id, version, guid, schemaType, references, metadata, ruleSet, schema: schema.schema }
}

/** A config as PUT takes it and gives it back: the level goes by another name there. */
export function configRequestBody({ compatibilityLevel, ...others }: ConfigValue): object {
  return { ...others, compatibility: compatibilityLevel }
}
