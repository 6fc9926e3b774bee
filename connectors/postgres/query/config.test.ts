import { parseConfig } from '@tidewire/sdk/testing'
import { describe, expect, test } from 'vitest'
import { checkQuery, columnMappings, queryOf, type QueryConfig } from './config.ts'
import { postgresQuery } from './source.ts'
import { dividedAmong, shareOf, type Target } from './targets.ts'

const required = {
  'connection.url': 'jdbc:postgresql://db/shop',
  'connection.user': 'app',
  'topic.prefix': 'x',
  mode: 'bulk',
}
const problemsOf = (config: Record<string, string>) => {
  try {
    parseConfig(postgresQuery, { ...required, ...config })
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

describe('settings', () => {
  test.each([
    [{ 'connection.url': 'jdbc:mysql://db/shop' }, 'connection.url'],
    [{ 'db.timezone': 'Mars/Olympus' }, 'db.timezone'],
    [{ 'table.include.list': '(' }, 'table.include.list'],
    [{ 'table.whitelist': 'a', 'table.blacklist': 'b' }, 'table.blacklist'],
    [{ query: 'SELECT 1', 'table.whitelist': 'a' }, 'table.whitelist'],
    [{ query: 'SELECT 1', 'key.mode': 'primary_key' }, 'key.mode'],
    [{ mode: 'timestamp' }, 'timestamp.column.name'],
    [{ mode: 'timestamp', 'timestamp.columns.mapping': 'a' }, 'timestamp.columns.mapping'],
    [{ mode: 'incrementing', query: 'SELECT 1 AS id' }, 'incrementing.column.name'],
    [{ 'incrementing.relaxed.monotonic': 'true' }, 'incrementing.relaxed.monotonic'],
    [{ 'dialect.name': 'OracleDatabaseDialect' }, 'dialect.name'],
  ])('%j is refused', (config, setting) => {
    expect(problemsOf(config as Record<string, string>)).toContain(setting)
  })

  test('Confluent’s usual ones are taken', () => {
    const usual = {
      ...{
        mode: 'timestamp+incrementing',
        'timestamp.column.name': 'updated,created',
        'incrementing.column.name': 'id',
      },
      ...{ 'table.include.list': 'public\\..*', 'table.exclude.list': '.*_old', 'numeric.mapping': 'best_fit' },
      ...{ 'connection.attempts': '3', 'query.retry.attempts': '5', 'dialect.name': 'PostgreSqlDatabaseDialect' },
    }
    expect(problemsOf(usual)).toBe('')
    expect(checkQuery(parseConfig(postgresQuery, { ...required, ...usual }))).toEqual({})
  })

  test('column mappings', () => {
    expect(columnMappings(['public\\.a:[x|y]', '.*:id'])).toEqual([
      { tables: /^(?:public\.a)$/, columns: ['x', 'y'] },
      { tables: /^(?:.*)$/, columns: ['id'] },
    ])
  })

  test('a query loses the semicolon at its end', () => {
    expect(queryOf({ query: ' SELECT 1 ; ', 'query.masked': '' })).toBe('SELECT 1')
    expect(queryOf({ query: '', 'query.masked': 'SELECT 2' })).toBe('SELECT 2')
    expect(queryOf({ query: ' ', 'query.masked': '' })).toBeUndefined()
  })
})

describe('the tasks’ shares', () => {
  const targets = Array.from({ length: 7 }, (_, index) => ({ name: `public.t${index}` }) as Target)

  test('are even, and each table is in one', () => {
    const plan = dividedAmong(targets, 3)
    const counts = plan.map((task) => targets.filter(shareOf(task as unknown as QueryConfig)).length)
    expect(counts.toSorted()).toEqual([2, 2, 3])
    expect(dividedAmong(targets, 1)).toEqual([{}])
    expect(dividedAmong(targets.slice(0, 2), 5)).toHaveLength(2)
  })

  test('a table that comes later is in one, the same each time', () => {
    const shares = dividedAmong(targets, 3).map((task) => shareOf(task as unknown as QueryConfig))
    for (let index = 0; index < 50; index++) {
      const later = { name: `public.later${index}` } as Target
      expect(shares.filter((has) => has(later))).toHaveLength(1)
    }
  })
})
