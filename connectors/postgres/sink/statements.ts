import { createHash } from 'node:crypto'
import type pg from 'pg'
import { quoteIdentifier } from '../link/identifier.ts'
import type { ColumnSet } from './row-plan.ts'
import type { WriteKind } from './schedule.ts'

/** A statement with one parameter for each column: the rows' values of it, as text[]. */
export interface Statement {
  /** To be prepared under this name, in each session once. */
  readonly name: string
  readonly text: string
}

/** A server keeps each prepared statement, some ten kilobytes of it, for as long as the session lasts. */
const mostPrepared = 200

const prepared = new WeakMap<pg.Client, Set<string>>()

/** How a session is to run it: prepared, or parsed anew where it has many prepared already, as of tables that have changed often. */
export function preparedIn(client: pg.Client, { name, text }: Statement): { name?: string; text: string } {
  let names = prepared.get(client)
  if (names === undefined) prepared.set(client, (names = new Set()))
  if (!names.has(name) && names.size >= mostPrepared) return { text }
  names.add(name)
  return { name, text }
}

const made = new WeakMap<ColumnSet, Map<WriteKind, Statement | undefined>>()

/** @returns undefined where there is nothing to write: an update of nothing but the key */
export function statementFor(kind: Exclude<WriteKind, 'truncate'>, set: ColumnSet): Statement | undefined {
  let ofSet = made.get(set)
  if (ofSet === undefined) {
    ofSet = new Map()
    made.set(set, ofSet)
  }
  if (!ofSet.has(kind)) {
    const text = textOf(kind, set)
    ofSet.set(kind, text === undefined ? undefined : { name: nameOf(text), text })
  }
  return ofSet.get(kind)
}

/** The same text has the same name, so that a session keeps one of it. */
function nameOf(text: string): string {
  return `tidewire_${createHash('sha1').update(text).digest('hex')}`
}

export function copyStatement(set: ColumnSet): string {
  return `COPY ${set.table.name.sql} (${set.columns.map(quoted).join(', ')}) FROM STDIN`
}

export function truncateStatement(set: ColumnSet): string {
  return `TRUNCATE TABLE ${set.table.name.sql}`
}

function textOf(kind: Exclude<WriteKind, 'truncate'>, set: ColumnSet): string | undefined {
  switch (kind) {
    case 'insert':
      return insertText(set)
    case 'upsert':
      return set.isPartial ? updateOrInsertText(set) : `${insertText(set)} ${conflictClause(set)}`
    case 'update': {
      const changes = assignments(set, 's')
      if (changes === '') return undefined
      return `UPDATE ${set.table.name.sql} AS t SET ${changes} FROM (${selectRows(set)}) AS s WHERE ${matches(set)}`
    }
    case 'delete':
      return `DELETE FROM ${set.table.name.sql} AS t USING (${selectRows(set)}) AS s WHERE ${matches(set)}`
  }
}

const quoted = ({ name }: { readonly name: string }): string => quoteIdentifier(name)

function insertText(set: ColumnSet): string {
  return `${insertInto(set)} ${selectRows(set)}`
}

/** The value of an identity that is always the server's is the record's, as COPY has it. */
function insertInto(set: ColumnSet): string {
  return `INSERT INTO ${set.table.name.sql} (${set.columns.map(quoted).join(', ')}) OVERRIDING SYSTEM VALUE`
}

/**
 * The rows, in the types of their columns. Types have no length here: the column's own is checked on assignment, where a
 * cast would cut off what is too long.
 */
function selectRows({ columns }: ColumnSet): string {
  const values = columns.map(({ castType, name }, at) => `s${at}::${castType} AS ${quoteIdentifier(name)}`)
  const parameters = columns.map((_, at) => `$${at + 1}::text[]`)
  const names = columns.map((_, at) => `s${at}`)
  return `SELECT ${values.join(', ')} FROM unnest(${parameters.join(', ')}) AS r(${names.join(', ')})`
}

function conflictClause(set: ColumnSet): string {
  const keys = set.columns.slice(0, set.keyCount).map(quoted).join(', ')
  const changes = assignments(set, 'excluded')
  return `ON CONFLICT (${keys}) DO ${changes === '' ? 'NOTHING' : `UPDATE SET ${changes}`}`
}

function assignments({ columns, keyCount }: ColumnSet, from: 's' | 'excluded'): string {
  return columns
    .slice(keyCount)
    .filter(({ isAlwaysIdentity }) => !isAlwaysIdentity)
    .map((column) => `${quoted(column)} = ${from}.${quoted(column)}`)
    .join(', ')
}

function matches({ columns, keyCount }: ColumnSet, one = 't', other = 's'): string {
  return columns
    .slice(0, keyCount)
    .map((column) => `${one}.${quoted(column)} = ${other}.${quoted(column)}`)
    .join(' AND ')
}

/**
 * For rows that lack columns: what is there is changed first, since INSERT refuses a row that lacks a column which takes no
 * null before it looks whether the key is there.
 */
function updateOrInsertText(set: ColumnSet): string {
  const changes = assignments(set, 's')
  if (changes === '') return `${insertText(set)} ${conflictClause(set)}`
  const table = set.table.name.sql
  const keys = set.columns.slice(0, set.keyCount).map((column) => `t.${quoted(column)}`)
  return (
    `WITH s AS (${selectRows(set)}), ` +
    `u AS (UPDATE ${table} AS t SET ${changes} FROM s WHERE ${matches(set)} RETURNING ${keys.join(', ')}) ` +
    `${insertInto(set)} SELECT ${set.columns.map((column) => `s.${quoted(column)}`).join(', ')} FROM s ` +
    `WHERE NOT EXISTS (SELECT FROM u WHERE ${matches(set, 'u')}) ${conflictClause(set)}`
  )
}
