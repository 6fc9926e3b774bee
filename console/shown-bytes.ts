import type { ShownBytes, TailedBytes } from '../core/src/rest-client/operations.ts'

/** A key, a value or a header of a record: its text, and what it is beside that. */
export function textOfBytes(bytes: ShownBytes | TailedBytes | null): string {
  if (bytes === null) return 'null'
  const text = typeof bytes.data === 'string' ? bytes.data : JSON.stringify(bytes.data)
  const marks = [
    bytes.encoding === 'base64' ? 'base64' : '',
    bytes.truncated === true ? `${bytes.size} bytes, cut` : '',
  ]
  const mark = marks.filter(Boolean).join(', ')
  return mark === '' ? text : `${text} (${mark})`
}
