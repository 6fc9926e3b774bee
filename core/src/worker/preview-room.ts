import { stringifyExact } from '@tidewire/sdk/exact-json'
import type { Ended, PreviewedRecord, PreviewedValue, PreviewErrand } from './errand-messages.ts'

/** Most bytes of a record that is shown though there is no room for it. */
const cutBytes = 16 * 1024

/** How many records, and how many bytes of them, may still be shown. */
export class PreviewRoom {
  readonly maxBytes: number
  readonly #limit: number
  #records: number
  #bytes: number
  readonly #onRecord: (record: PreviewedRecord) => void

  constructor({ limit, maxBytes }: PreviewErrand, onRecord: (record: PreviewedRecord) => void) {
    this.maxBytes = maxBytes
    this.#limit = limit
    this.#records = limit
    this.#bytes = maxBytes
    this.#onRecord = onRecord
  }

  /** Whether nothing has been shown. */
  get isUntouched(): boolean {
    return this.#records === this.#limit
  }

  /** Why there is no more room; undefined while there is. */
  get ended(): Extract<Ended, 'limit' | 'bytes'> | undefined {
    if (this.#records <= 0) return 'limit'
    return this.#bytes <= 0 ? 'bytes' : undefined
  }

  show(record: PreviewedRecord): void {
    this.#records--
    const size = stringifyExact(record).length
    const fits = size <= this.#bytes
    this.#bytes -= size
    this.#onRecord(fits ? record : cutRecord(record))
  }
}

/** Without the values, which are what is large. */
function cutRecord({ key, value, headers, errors, ...rest }: PreviewedRecord): PreviewedRecord {
  return {
    ...rest,
    key: cutValue(key),
    value: cutValue(value),
    headers: headers.length > 100 ? [] : headers.map((header) => ({ key: header.key, ...cutValue(header) })),
    errors,
  }
}

function cutValue({ bytes }: PreviewedValue): PreviewedValue {
  if (bytes === undefined || bytes === null || bytes.data.length <= cutBytes)
    return bytes === undefined ? {} : { bytes }
  return { bytes: { ...bytes, data: bytes.data.slice(0, cutBytes), truncated: true } }
}
