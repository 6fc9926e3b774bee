import { DataError } from '@tidewire/sdk'

/**
 * A position in the write-ahead log from its text, such as `0/16B3748`. A number: 2^53 bytes of log are nine petabytes.
 * @throws DataError where it is none, or is beyond 2^53
 */
export function parseLsn(text: string): number {
  const parts = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text)
  if (parts === null) throw new DataError(`"${text}" is no position in a write-ahead log; one looks like 0/16B3748`)
  const lsn = Number.parseInt(parts[1]!, 16) * 0x1_0000_0000 + Number.parseInt(parts[2]!, 16)
  if (!Number.isSafeInteger(lsn)) throw new DataError(`the write-ahead log position ${text} is beyond 2^53`)
  return lsn
}

/** As PostgreSQL writes it: two hexadecimal halves without leading zeros. */
export function formatLsn(lsn: number): string {
  const high = Math.floor(lsn / 0x1_0000_0000)
  return `${high.toString(16)}/${(lsn % 0x1_0000_0000).toString(16)}`.toUpperCase()
}

/** The big-endian int64 at `at`, as the replication protocol sends positions. Beyond 2^53 it loses its low digits. */
export function readLsn(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) * 0x1_0000_0000 + readUint32(bytes, at + 4)
}

export function writeLsn(bytes: Buffer, at: number, lsn: number): void {
  bytes.writeUInt32BE(Math.floor(lsn / 0x1_0000_0000), at)
  bytes.writeUInt32BE(lsn % 0x1_0000_0000, at + 4)
}

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}
