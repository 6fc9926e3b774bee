import { randomUUID } from 'node:crypto'
import {
  ConfigError,
  originalPosition,
  RetriableError,
  type AssignedPartition,
  type SinkRecord,
  type TopicPartition,
  type TopicPartitionOffset,
} from '@tidewire/sdk'
import type pg from 'pg'
import { problemOf, sqlStateOf } from '../link/errors.ts'

/** The code of the error that a task of a sink has lost topic partitions to another one. */
export const fenced = 'POSTGRES_SINK_FENCED'

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
  /** Where the records that are put go on: nothing before it comes again, whatever became of a commit. */
  readonly #expected = new Map<string, number>()

  /** @param table quoted */
  constructor(table: string, connector: string) {
    this.#table = table
    this.#connector = connector
  }

  /**
   * Makes partitions this task's own.
   * @returns where to go on, of those that have a position
   * @throws ConfigError where a topic is not the one that its position is of
   */
  async claim(client: pg.Client, partitions: readonly AssignedPartition[]): Promise<TopicPartitionOffset[]> {
    // In one order for all tasks, so that no two wait for each other.
    const sorted = partitions.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
    const { rows } = await client.query<OffsetRow>(
      `INSERT INTO ${this.#table} AS o (connector, topic, "partition", owner, topic_id)
       SELECT $1, r.topic, r.part, $2, r.id FROM unnest($3::text[], $4::int[], $5::text[]) AS r(topic, part, id)
       ON CONFLICT (connector, topic, "partition") DO UPDATE SET owner = excluded.owner,
         topic_id = CASE WHEN o.next_offset IS NULL THEN excluded.topic_id ELSE coalesce(o.topic_id, excluded.topic_id) END
       RETURNING o.topic, o."partition", o.next_offset::float8 AS next_offset, o.topic_id`,
      [
        this.#connector,
        this.#owner,
        sorted.map(({ topic }) => topic),
        sorted.map(({ partition }) => partition),
        sorted.map(({ topicId }) => topicId ?? null),
      ],
    )
    const topicIds = new Map(partitions.map(({ topic, topicId }) => [topic, topicId]))
    for (const row of rows) {
      const topicId = topicIds.get(row.topic)
      if (row.next_offset !== null && topicId !== undefined && row.topic_id !== topicId) {
        throw madeAnew(row, 'the topic was made anew since', row.next_offset)
      }
      this.#next.set(idOf(row), row.next_offset ?? undefined)
      this.#expected.set(idOf(row), row.next_offset ?? 0)
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
      this.#expected.delete(idOf(partition))
    }
  }

  /**
   * Those that are not written yet. Others were put by an attempt of which nobody knew what became.
   * @throws ConfigError for records that come though nothing before or at their position was asked for
   */
  due(records: readonly SinkRecord[]): readonly SinkRecord[] {
    let isWhole = true
    for (const [id, { first, topic, partition }] of spansOf(records)) {
      const expected = this.#expected.get(id) ?? 0
      if (first < expected) {
        const what = `the topic gives records from offset ${first} on: it was made anew, or its log cut`
        throw madeAnew({ topic, partition }, what, expected)
      }
      isWhole &&= first >= (this.#next.get(id) ?? 0)
    }
    if (isWhole) return records
    return records.filter((record) => {
      const position = originalPosition(record)
      return position.offset >= (this.#next.get(idOf(position)) ?? 0)
    })
  }

  /** All of these are written; what is put from now on comes after them. */
  written(records: readonly SinkRecord[]): void {
    for (const [id, { next }] of spansOf(records)) this.#expected.set(id, next)
  }

  /**
   * Moves positions past these records, first of all in their transaction: from then on nobody can take the partitions
   * over before it has ended. Only from where they are known to be: a transaction of a broken connection may have begun to
   * move them since.
   * @returns to be called when it is committed
   * @throws RetriableError where another task has made one of the partitions its own, or a position is not as it was read
   */
  async advance(client: pg.Client, records: readonly SinkRecord[]): Promise<() => void> {
    const spans = spansOf(records)
    const ends = [...spans.values()]
    const { rowCount } = await client.query({
      name: 'tidewire_offsets',
      text: `UPDATE ${this.#table} AS o SET next_offset = r.next_offset, updated_at = now()
             FROM unnest($3::text[], $4::int[], $5::bigint[], $6::bigint[]) AS r(topic, part, next_offset, known_offset)
             WHERE o.connector = $1 AND o.owner = $2 AND o.topic = r.topic AND o."partition" = r.part
               AND o.next_offset IS NOT DISTINCT FROM r.known_offset`,
      values: [
        this.#connector,
        this.#owner,
        ends.map(({ topic }) => topic),
        ends.map(({ partition }) => partition),
        ends.map(({ next }) => next),
        [...spans.keys()].map((id) => this.#next.get(id) ?? null),
      ],
    })
    if (rowCount !== ends.length) {
      throw new RetriableError(
        `another task of ${this.#connector} has taken over topic partitions of this one, which therefore writes nothing: ` +
          'it will be given others, unless two clusters run a connector of this name on one database',
        { code: fenced },
      )
    }
    return () => {
      for (const [id, { next }] of spans) this.#next.set(id, next)
    }
  }
}

interface OffsetRow {
  readonly topic: string
  readonly partition: number
  readonly next_offset: number | null
  readonly topic_id: string | null
}

function madeAnew({ topic, partition }: TopicPartition, what: string, position: number): ConfigError {
  return new ConfigError(
    `${topic}-${partition} is written up to offset ${position}, and ${what}. Nothing is passed over unseen: stop the connector, ` +
      'and have it begin anew (DELETE /connectors/{name}/offsets) or say where to go on (PATCH)',
    { code: 'POSTGRES_SINK_TOPIC_ANEW' },
  )
}

/** What of a partition is in a batch: it comes in the order of the log. */
interface Span extends TopicPartition {
  readonly first: number
  next: number
}

function spansOf(records: readonly SinkRecord[]): Map<string, Span> {
  const spans = new Map<string, Span>()
  let last: Span | undefined
  for (const record of records) {
    const { topic, partition, offset } = originalPosition(record)
    if (last?.topic !== topic || last.partition !== partition) {
      const id = idOf({ topic, partition })
      last = spans.get(id) ?? { topic, partition, first: offset, next: offset + 1 }
      spans.set(id, last)
    }
    last.next = Math.max(last.next, offset + 1)
  }
  return spans
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
         owner text NOT NULL, topic_id text, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (connector, topic, "partition"))`,
    )
  } catch (error) {
    const state = sqlStateOf(error)
    if (state === '23505' || state === '42P07' || state === '42710') return
    throw problemOf(error, `making the table of positions ${table}`)
  }
}
