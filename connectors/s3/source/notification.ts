/** An object that a notification tells of. */
export interface NotifiedObject {
  readonly bucket: string
  readonly key: string
  readonly version: string | undefined
}

/**
 * The objects that a message says were written: of an event notification of S3, as it is, or inside one of SNS, or of
 * EventBridge. None for what is of other kinds (a test of the notifications, a deletion); undefined where the message is
 * no notification at all.
 */
export function notifiedObjects(body: string): readonly NotifiedObject[] | undefined {
  const message = parsed(body)
  if (message === undefined) return undefined
  if (message['Type'] === 'Notification' && typeof message['Message'] === 'string') {
    return notifiedObjects(message['Message'])
  }
  if (message['Event'] === 's3:TestEvent') return []
  if (typeof message['detail-type'] === 'string') return fromEventBridge(message)
  const records = message['Records']
  if (!Array.isArray(records)) return undefined
  return records.flatMap(fromRecord)
}

interface Parsed {
  readonly [field: string]: unknown
}

function parsed(body: string): Parsed | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as Parsed) : undefined
  } catch {
    return undefined
  }
}

function fromRecord(record: unknown): NotifiedObject[] {
  const { eventName, s3 } = record as { eventName?: unknown; s3?: { bucket?: Parsed; object?: Parsed } }
  if (typeof eventName !== 'string' || !/^(?:s3:)?ObjectCreated:/.test(eventName)) return []
  const key = s3?.object?.['key']
  return typeof key === 'string' ? notified(s3?.bucket, s3?.object, decoded(key)) : []
}

/** Its keys are as they are. */
function fromEventBridge(message: Parsed): NotifiedObject[] {
  if (message['detail-type'] !== 'Object Created') return []
  const { bucket, object } = (message['detail'] ?? {}) as { bucket?: Parsed; object?: Parsed }
  const key = object?.['key']
  return typeof key === 'string' ? notified(bucket, object, key) : []
}

function notified(bucket: Parsed | undefined, object: Parsed | undefined, key: string): NotifiedObject[] {
  const name = bucket?.['name']
  const version = object?.['versionId'] ?? object?.['version-id']
  // A bucket that has no versions says so by an empty text, or `null`.
  const isVersion = typeof version === 'string' && version !== '' && version !== 'null'
  return typeof name === 'string' ? [{ bucket: name, key, version: isVersion ? version : undefined }] : []
}

/** In the form of query strings, a space as a plus. */
function decoded(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    return key
  }
}
