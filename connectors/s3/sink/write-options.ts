import type { S3SinkConfig } from './settings.ts'

/** What of the settings goes with the requests that make an object. */
export interface WriteOptions {
  /** With the request that begins an object. */
  readonly create: {
    readonly ACL?: 'private'
    readonly ServerSideEncryption?: 'AES256' | 'aws:kms' | 'aws:kms:dsse'
    readonly SSEKMSKeyId?: string
    readonly StorageClass?: 'STANDARD'
  }
  /** With each request that reads or writes it: the customer's key, in base64, which goes with its digest. */
  readonly each: { readonly SSECustomerAlgorithm?: string; readonly SSECustomerKey?: string }
  /** Whether parts have checksums. */
  readonly checksums: boolean
}

export function writeOptions(config: S3SinkConfig): WriteOptions {
  const acl = config['s3.acl.canned'] as 'private' | ''
  const encryption = config['s3.ssea.name']
  const kmsKey = config['s3.sse.kms.key.id'] ?? ''
  const storageClass = config['s3.storage.class'] as 'STANDARD' | ''
  const customerKey = config['s3.sse.customer.key'] ?? ''
  return {
    create: {
      ...(acl === '' ? {} : { ACL: acl }),
      ...(encryption === '' ? {} : { ServerSideEncryption: encryption }),
      ...(encryption.startsWith('aws:kms') && kmsKey !== '' ? { SSEKMSKeyId: kmsKey } : {}),
      ...(storageClass === '' ? {} : { StorageClass: storageClass }),
    },
    each: customerKey === '' ? {} : { SSECustomerAlgorithm: 'AES256', SSECustomerKey: customerKey },
    checksums: config['s3.checksum.mode'] === 'when_supported',
  }
}

/** The tags of `s3.object.tagging.key.value.pairs`. */
export function extraTags(config: S3SinkConfig): { readonly Key: string; readonly Value: string }[] {
  return config['s3.object.tagging.key.value.pairs'].map((pair) => {
    const at = pair.indexOf(':')
    return { Key: pair.slice(0, at), Value: pair.slice(at + 1) }
  })
}
