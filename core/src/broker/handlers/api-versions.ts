/**
 * ApiVersions, v0–4. What is announced is what the registry serves.
 * v1 throttle time · v3 flexible, client software name (KIP-511) · v4 features from version 0 on
 */
import { errorCodes } from '../../protocol/errors.ts'
import { encodeResponse } from '../../protocol/codec.ts'
import { apiVersions } from '../../protocol/messages/api-versions.ts'
import { defineHandler, type Handler } from '../handler.ts'

/** Version 2: an epoch for each transaction, and partitions that join it by being written to (KIP-890). */
const transactionVersion = 'transaction.version'
/** Version 1: the newer group protocol (KIP-848). */
const groupVersion = 'group.version'

/** @param served all handlers, this one included; read when it is first asked */
export function apiVersionsHandler(served: () => readonly Handler[]): Handler {
  return defineHandler({
    api: apiVersions,
    versions: [0, 4],
    handle: (_services, _request, { version }) => ({
      errorCode: errorCodes.NONE,
      apiKeys: announced(served()),
      throttleTimeMs: 0,
      // Clients before v4 cannot read a lowest version of 0 (KIP-1022); what is in force is in the finalized ones.
      supportedFeatures:
        version < 4
          ? []
          : [
              { name: groupVersion, minVersion: 0, maxVersion: 1 },
              { name: transactionVersion, minVersion: 0, maxVersion: 2 },
            ],
      finalizedFeaturesEpoch: 0,
      finalizedFeatures: [
        { name: groupVersion, minVersionLevel: 1, maxVersionLevel: 1 },
        { name: transactionVersion, minVersionLevel: 2, maxVersionLevel: 2 },
      ],
    }),
  })
}

/** The answer to a version of ApiVersions that is too new: in v0, which every client can read (KIP-511). */
export function unsupportedApiVersions(served: readonly Handler[], correlationId: number): Buffer[] {
  const apiKeys = announced(served)
  return encodeResponse(apiVersions, 0, correlationId, {
    errorCode: errorCodes.UNSUPPORTED_VERSION,
    apiKeys,
    throttleTimeMs: 0,
  })
}

function announced(served: readonly Handler[]) {
  return served
    .map(({ api, announcedFrom, versions }) => ({
      apiKey: api.key,
      minVersion: announcedFrom,
      maxVersion: versions[1],
    }))
    .sort((a, b) => a.apiKey - b.apiKey)
}
