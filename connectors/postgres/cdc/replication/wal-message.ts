import { ConnectError } from '@tidewire/sdk'
import { readLsn } from '../../link/lsn.ts'

/** What a table is at this point of the stream. Sent before the first change of it, and again when it has changed. */
export interface Relation {
  /** Of the table in pg_class. */
  readonly id: number
  readonly schema: string
  readonly table: string
  /** default (primary key), nothing, full, index */
  readonly replicaIdentity: 'd' | 'n' | 'f' | 'i'
  /** In the order of the values in tuples; without generated columns and those the publication leaves out. */
  readonly columns: readonly RelationColumn[]
}

export interface RelationColumn {
  readonly name: string
  readonly typeOid: number
  /** -1: none. */
  readonly typeModifier: number
  /** Belongs to the replica identity. */
  readonly isKey: boolean
}

/** A row that was inserted, updated or deleted. Its tuples are read in place, by whoever knows the table. */
export interface RowChange {
  readonly kind: 'insert' | 'update' | 'delete'
  readonly lsn: number
  readonly relationId: number
  /**
   * Holds the tuples, among other things. Many changes share it: a piece of it that is kept keeps all of it, up to 64 KiB
   * and more, in memory.
   */
  readonly bytes: Buffer
  /** Where the new row's tuple begins in `bytes`, with its number of columns; -1: none. */
  readonly newAt: number
  /** Where the old row's begins; -1: none. */
  readonly oldAt: number
  /** K: the old row has its key only, O: all of it. */
  readonly oldKind: 'K' | 'O' | undefined
}

/**
 * One message of the output plugin pgoutput, protocol version 1. `lsn` is the position that the server sent it with;
 * 0 with relations, types and origins. Times are microseconds since 1970.
 */
export type WalMessage =
  | RowChange
  | {
      readonly kind: 'begin'
      readonly lsn: number
      readonly xid: number
      /** Of the commit record, which is still to come. */
      readonly commitLsn: number
      readonly commitTimeUs: number
    }
  | {
      readonly kind: 'commit'
      readonly lsn: number
      readonly commitLsn: number
      /** Behind the commit record: what is confirmed, and where a stream goes on, when all of it is safe. */
      readonly endLsn: number
      readonly commitTimeUs: number
    }
  | { readonly kind: 'origin'; readonly lsn: number; readonly name: string; readonly originLsn: number }
  | { readonly kind: 'relation'; readonly lsn: number; readonly relation: Relation }
  | {
      readonly kind: 'type'
      readonly lsn: number
      readonly oid: number
      readonly schema: string
      readonly name: string
    }
  | {
      readonly kind: 'truncate'
      readonly lsn: number
      readonly relationIds: readonly number[]
      readonly cascade: boolean
      readonly restartIdentity: boolean
    }
  | {
      /** Of pg_logical_emit_message. */
      readonly kind: 'message'
      readonly lsn: number
      /** false: it comes at once, and outside of a transaction. */
      readonly transactional: boolean
      readonly messageLsn: number
      readonly prefix: string
      readonly content: Buffer
    }

/** Microseconds from 1970 to 2000, where PostgreSQL's time begins. */
const epochOffsetUs = 946_684_800_000_000

/** Microseconds since 1970, of an int64 since 2000. */
function readTimeUs(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4) + epochOffsetUs
}

/**
 * The message in `bytes` from `at` to `end`.
 * @throws ConnectError where it is none of version 1
 */
export function decodeWalMessage(bytes: Buffer, at: number, end: number, lsn: number): WalMessage {
  switch (bytes[at]) {
    case 0x49: // I
      return change('insert', lsn, bytes, at, at + 6, -1, undefined)
    case 0x55: // U
      return update(bytes, at, lsn)
    case 0x44: // D
      return change('delete', lsn, bytes, at, -1, at + 6, bytes[at + 5] === upperK ? 'K' : 'O')
    case 0x42: // B
      return {
        kind: 'begin',
        lsn,
        commitLsn: readLsn(bytes, at + 1),
        commitTimeUs: readTimeUs(bytes, at + 9),
        xid: bytes.readUInt32BE(at + 17),
      }
    case 0x43: // C
      return {
        kind: 'commit',
        lsn,
        commitLsn: readLsn(bytes, at + 2),
        endLsn: readLsn(bytes, at + 10),
        commitTimeUs: readTimeUs(bytes, at + 18),
      }
    case 0x52: // R
      return { kind: 'relation', lsn, relation: relation(new Reader(bytes, at + 1, end)) }
    case 0x59: {
      // Y
      const reader = new Reader(bytes, at + 1, end)
      return { kind: 'type', lsn, oid: reader.uint32(), schema: schemaName(reader.text()), name: reader.text() }
    }
    case 0x4f: {
      // O
      const reader = new Reader(bytes, at + 1, end)
      return { kind: 'origin', lsn, originLsn: reader.lsn(), name: reader.text() }
    }
    case 0x54: // T
      return truncate(new Reader(bytes, at + 1, end), lsn)
    case 0x4d: // M
      return logicalMessage(new Reader(bytes, at + 1, end), lsn)
    default:
      throw new ConnectError(
        `the replication stream holds a message of type 0x${(bytes[at] ?? 0).toString(16)}, which is not of pgoutput's version 1; check slot.stream.params`,
        { code: 'PG_PROTOCOL' },
      )
  }
}

const upperK = 0x4b
const upperN = 0x4e

/** Written out, with its properties always in this order: these are nearly all that a stream is made of. */
function change(
  kind: RowChange['kind'],
  lsn: number,
  bytes: Buffer,
  at: number,
  newAt: number,
  oldAt: number,
  oldKind: RowChange['oldKind'],
): RowChange {
  return { kind, lsn, relationId: bytes.readUInt32BE(at + 1), bytes, newAt, oldAt, oldKind }
}

function update(bytes: Buffer, at: number, lsn: number): RowChange {
  const first = bytes[at + 5]
  if (first === upperN) return change('update', lsn, bytes, at, at + 6, -1, undefined)
  // The old tuple, then N, then the new one.
  return change('update', lsn, bytes, at, endOfTuple(bytes, at + 6) + 1, at + 6, first === upperK ? 'K' : 'O')
}

/** Where the tuple that begins at `at` ends: after the number of its columns, for each n (null), u (unchanged), or t (text) or b (binary) with a length. */
export function endOfTuple(bytes: Buffer, at: number): number {
  let next = at + 2
  for (let left = bytes.readUInt16BE(at); left > 0; left--) {
    const kind = bytes[next]
    next += kind === 0x74 || kind === 0x62 ? 5 + bytes.readUInt32BE(next + 1) : 1
  }
  return next
}

function relation(reader: Reader): Relation {
  const id = reader.uint32()
  const schema = schemaName(reader.text())
  const table = reader.text()
  const replicaIdentity = String.fromCharCode(reader.byte()) as Relation['replicaIdentity']
  const columns: RelationColumn[] = []
  for (let left = reader.uint16(); left > 0; left--) {
    const isKey = (reader.byte() & 1) === 1
    columns.push({ name: reader.text(), typeOid: reader.uint32(), typeModifier: reader.int32(), isKey })
  }
  return { id, schema, table, replicaIdentity, columns }
}

function truncate(reader: Reader, lsn: number): WalMessage {
  const count = reader.uint32()
  const flags = reader.byte()
  const relationIds = Array.from({ length: count }, () => reader.uint32())
  return {
    kind: 'truncate',
    lsn,
    relationIds,
    cascade: (flags & 1) !== 0,
    restartIdentity: (flags & 2) !== 0,
  }
}

function logicalMessage(reader: Reader, lsn: number): WalMessage {
  const transactional = (reader.byte() & 1) === 1
  const messageLsn = reader.lsn()
  const prefix = reader.text()
  // A copy: contents are kept longer than the buffer they came in.
  return { kind: 'message', lsn, transactional, messageLsn, prefix, content: Buffer.from(reader.sized()) }
}

/** The server sends the schema of its own objects as nothing. */
function schemaName(sent: string): string {
  return sent === '' ? 'pg_catalog' : sent
}

/** Reads the parts of a message one after the other. Throws RangeError beyond the end of the buffer. */
class Reader {
  readonly #bytes: Buffer
  readonly #end: number
  #at: number

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#at++)
  }

  uint16(): number {
    this.#at += 2
    return this.#bytes.readUInt16BE(this.#at - 2)
  }

  uint32(): number {
    this.#at += 4
    return this.#bytes.readUInt32BE(this.#at - 4)
  }

  int32(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  lsn(): number {
    this.#at += 8
    return readLsn(this.#bytes, this.#at - 8)
  }

  /** Up to a NUL. */
  text(): string {
    const start = this.#at
    const end = this.#bytes.indexOf(0, start)
    if (end === -1 || end >= this.#end) throw new RangeError('a text has no end')
    this.#at = end + 1
    return this.#bytes.toString('utf8', start, end)
  }

  /** As many bytes as the number before them says. */
  sized(): Buffer {
    const length = this.uint32()
    this.#at += length
    if (this.#at > this.#end) throw new RangeError('content is cut off')
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}
