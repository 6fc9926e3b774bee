import type pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'

const newline = 10

/** Whole lines of COPY's text form: in `bytes`, line i from `starts[i]` up to and without `starts[i + 1] - 1`. */
export interface CopyLines {
  readonly bytes: Buffer
  readonly starts: readonly number[]
}

/**
 * Runs `COPY (query) TO STDOUT` and gives its lines, some tens of kilobytes at a time. A line break within a value is
 * written as `\n` there, so each byte 10 ends a line. The bytes are the caller's until the next batch is asked for.
 */
export async function* copyRows(client: pg.Client, query: string): AsyncGenerator<CopyLines> {
  const stream = client.query(copyTo(`COPY (${query}) TO STDOUT`))
  // Of a line that has not ended yet: put together once, when it has, since a row may be of many megabytes.
  let pieces: Buffer[] = []
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const firstEnd = chunk.indexOf(newline)
    if (firstEnd < 0) {
      pieces.push(chunk)
      continue
    }
    const before = pieces.reduce((sum, { length }) => sum + length, 0)
    const bytes = before === 0 ? chunk : Buffer.concat([...pieces, chunk])
    const starts = [0]
    for (let end = before + firstEnd; end >= 0; end = bytes.indexOf(newline, end + 1)) starts.push(end + 1)
    const rest = bytes.subarray(starts.at(-1))
    pieces = rest.length === 0 ? [] : [rest]
    yield { bytes, starts }
  }
  if (pieces.length > 0) throw new Error(`COPY ended in the middle of a row: ${query}`)
}
