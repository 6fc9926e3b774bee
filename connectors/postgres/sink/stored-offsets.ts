import { randomUUID } from 'node:crypto'
import {
  originalPosition,
  RetriableError,
  type SinkRecord,
  type TopicPartition,
  type TopicPartitionOffset,
} from '@tidewire/sdk'
import type pg from 'pg'
import { problemOf, sqlStateOf } from '../link/errors.ts'

/**
 * The positions of an exactly-once sink, in a table of the database that it writes to: a row for each topic partition of each
 * connector, moved in the transaction of the rows. The row also says whose the partition is: a task makes it its own when it
 * opens the partition, which waits for a transaction of the one before that is still about, and ends all later ones.
 */
export class StoredOffsets {
  readonly #table: string
  readonly #connector: string
  readonly #owner = randomUUID()
  /** What is committed, by topic and partition: undefined for a partition without a position yet. */
  readonly #next = new Map<string, number | undefined>()
  /** Where partitions were opened: nothing before it was asked for. Of those that nothing such has come of. */
  readonly #opened = new Map<string, number>()

  /** @param table quoted */
  constructor(table: string, connector: string) {
    this.#table = table
    this.#connector = connector
  }

  /**
   * Makes partitions this task's own.
   * @returns where to go on, of those that have a position
   */
  async claim(client: pg.Client, partitions: readonly TopicPartition[]): Promise<TopicPartitionOffset[]> {
    // In one order for all tasks, so that no two wait for each other.
    const sorted = partitions.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
    const { rows } = await client.query<OffsetRow>(
      `INSERT INTO ${this.#table} AS o (connector, topic, "partition", owner)
       SELECT $1, r.topic, r.part, $2 FROM unnest($3::text[], $4::int[]) AS r(topic, part)
       ON CONFLICT (connector, topic, "partition") DO UPDATE SET owner = excluded.owner
       RETURNING o.topic, o."partition", o.next_offset::float8 AS next_offset`,
      [this.#connector, this.#owner, sorted.map(({ topic }) => topic), sorted.map(({ partition }) => partition)],
    )
    for (const row of rows) {
      this.#next.set(idOf(row), row.next_offset ?? undefined)
      this.#opened.set(idOf(row), row.next_offset ?? 0)
    }
    return rows.flatMap(({ topic, partition, next_offset: offset }) =>
      offset === null ? [] : [{ topic, partition, offset }],
    )
  }

  /**
   * After a connection broke, nobody knows whether its last transaction was committed; the table does. The rows are locked for
   * a moment, since that transaction may still be at its end: until then they would be shown as they were before it.
   */
  async reload(client: pg.Client): Promise<void> {
    const { rows } = await client.query<OffsetRow>(
      `SELECT topic, "partition", next_offset::float8 AS next_offset FROM ${this.#table}
       WHERE connector = $1 AND owner = $2 ORDER BY topic, "partition" FOR UPDATE`,
      [this.#connector, this.#owner],
    )
    for (const row of rows) {
      if (this.#next.has(idOf(row))) this.#next.set(idOf(row), row.next_offset ?? undefined)
    }
  }

  release(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      this.#next.delete(idOf(partition))
      this.#opened.delete(idOf(partition))
    }
  }

  /**
   * Where records come from before their partition was opened, which are no repeats: the topic was made anew, or its log cut.
   * Of each partition once.
   */
  strays(records: readonly SinkRecord[]): (TopicPartitionOffset & { readonly opened: number })[] {
    const found: (TopicPartitionOffset & { readonly opened: number })[] = []
    for (const record of records) {
      const position = originalPosition(record)
      const opened = this.#opened.get(idOf(position))
      if (opened === undefined || position.offset >= opened) continue
      this.#opened.delete(idOf(position))
      found.push({ topic: position.topic, partition: position.partition, offset: position.offset, opened })
    }
    return found
  }

  /** Those that are not written yet. */
  due(records: readonly SinkRecord[]): readonly SinkRecord[] {
    const isDue = (record: SinkRecord): boolean => {
      const position = originalPosition(record)
      return position.offset >= (this.#next.get(idOf(position)) ?? 0)
    }
    return records.every(isDue) ? records : records.filter(isDue)
  }

  /**
   * Moves positions past these records, first of all in their transaction: from then on nobody can take the partitions
   * over before it has ended. Only from where they are known to be: a transaction of a broken connection may have begun to
   * move them since.
   * @returns to be called when it is committed
   * @throws RetriableError where another task has made one of the partitions its own, or a position is not as it was read
   */
  async advance(client: pg.Client, records: readonly SinkRecord[]): Promise<() => void> {
    const ends = new Map<string, TopicPartitionOffset>()
    for (const record of records) {
      const { topic, partition, offset } = originalPosition(record)
      const id = idOf({ topic, partition })
      if (offset >= (ends.get(id)?.offset ?? 0)) ends.set(id, { topic, partition, offset: offset + 1 })
    }
    const positions = [...ends.values()]
    const { rowCount } = await client.query({
      name: 'tidewire_offsets',
      text: `UPDATE ${this.#table} AS o SET next_offset = r.next_offset, updated_at = now()
             FROM unnest($3::text[], $4::int[], $5::bigint[], $6::bigint[]) AS r(topic, part, next_offset, known_offset)
             WHERE o.connector = $1 AND o.owner = $2 AND o.topic = r.topic AND o."partition" = r.part
               AND o.next_offset IS NOT DISTINCT FROM r.known_offset`,
      values: [
        this.#connector,
        this.#owner,
        positions.map(({ topic }) => topic),
        positions.map(({ partition }) => partition),
        positions.map(({ offset }) => offset),
        [...ends.keys()].map((id) => this.#next.get(id) ?? null),
      ],
    })
    if (rowCount !== positions.length) {
      throw new RetriableError(
        `another task of ${this.#connector} has taken over topic partitions of this one, which therefore writes nothing: ` +
          'it will be given others, unless two clusters run a connector of this name on one database',
        { code: 'POSTGRES_SINK_FENCED' },
      )
    }
    return () => {
      for (const [id, { offset }] of ends) this.#next.set(id, offset)
    }
  }
}

interface OffsetRow {
  readonly topic: string
  readonly partition: number
  readonly next_offset: number | null
}

const idOf = ({ topic, partition }: TopicPartition): string => `${partition} ${topic}`

/** Makes the table where it does not exist; another task may be doing the same. */
export async function makeOffsetsTable(client: pg.Client, table: string): Promise<void> {
  const { rows } = await client.query<{ exists: boolean }>('SELECT to_regclass($1) IS NOT NULL AS exists', [table])
  if (rows[0]!.exists) return
  try {
    await client.query(
      `CREATE TABLE IF NOT EXISTS ${table} (
         connector text NOT NULL, topic text NOT NULL, "partition" integer NOT NULL, next_offset bigint,
         owner text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (connector, topic, "partition"))`,
    )
  } catch (error) {
    const state = sqlStateOf(error)
    if (state === '23505' || state === '42P07' || state === '42710') return
    throw problemOf(error, `making the table of positions ${table}`)
  }
}
