import { decodeRequest, encodeResponse } from '../protocol/codec.ts'
import type { Api, RequestOf, ResponseInput } from '../protocol/message.ts'
import type { SaslSession } from './sasl/session.ts'
import type { BrokerServices } from './services.ts'

/** What a handler may know of the request besides its body. */
export interface RequestContext {
  readonly version: number
  readonly clientId: string
  /** As Kafka's tools show it: `/127.0.0.1`. */
  readonly clientHost: string
  /** Where this client reaches the broker. */
  readonly advertised: { readonly host: string; readonly port: number }
  /** Who the client is; null on a listener that does not ask. */
  readonly sasl: SaslSession | null
  /** The connection ends when this answer has been sent; nothing that comes after the request is looked at. */
  readonly endAfterAnswer: () => void
  /**
   * What has to happen in the order of the requests is done: the next request of the connection may start. Answers
   * keep their order all the same. Without it, the next one starts when this one is answered.
   */
  allowNext(): void
  /** Calls back when the answer has left this process; never where the connection ends before that. */
  onSent(listener: () => void): void
  /** Aborted when the connection is gone: nobody waits for the answer any more. */
  readonly signal: ConnectionSignal
}

/** The part of AbortSignal that handlers need; an object of its own would cost every request an event target. */
export interface ConnectionSignal {
  readonly closed: boolean
  /** Calls back once when the connection ends. Returns what takes the callback back. */
  onClose(listener: () => void): () => void
}

type MaybePromise<T> = T | Promise<T>

interface HandlerDeclaration<A extends Api> {
  readonly api: A
  /** Versions served; they are announced as they stand here. */
  readonly versions: readonly [number, number]
  /** Where clients must be told a lower first version than is served, for reasons given there. */
  readonly announcedFrom?: number
  /** Null: no answer is sent. What it throws closes the connection: foreseen errors are part of the response. */
  handle: (
    services: BrokerServices,
    request: RequestOf<A>,
    context: RequestContext,
  ) => MaybePromise<ResponseInput<A> | null>
}

/** The handler of one API with its types sealed inside: a frame goes in, a frame comes out. */
export interface Handler {
  readonly api: Api
  readonly versions: readonly [number, number]
  readonly announcedFrom: number
  /** @throws ProtocolError for a body that is not of the API and version */
  respond(
    services: BrokerServices,
    frame: Buffer,
    bodyOffset: number,
    correlationId: number,
    context: RequestContext,
  ): MaybePromise<readonly Buffer[] | null>
}

export function defineHandler<const A extends Api>(declaration: HandlerDeclaration<A>): Handler {
  const { api, versions, announcedFrom = versions[0], handle } = declaration
  return {
    api,
    versions,
    announcedFrom,
    respond(services, frame, bodyOffset, correlationId, context) {
      const request = decodeRequest(api, context.version, frame, bodyOffset)
      const encode = (response: ResponseInput<A> | null) =>
        response === null ? null : encodeResponse(api, context.version, correlationId, response)
      const response = handle(services, request, context)
      return response instanceof Promise ? response.then(encode) : encode(response)
    },
  }
}
