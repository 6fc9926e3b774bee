import { parseConfig } from '@tidewire/sdk/testing'
import { expect, test } from 'vitest'
import { addressOf, connectionSettings, splitStatements } from './connection-settings.ts'

const connector = { name: 'test', config: connectionSettings }

test('an address from the settings of Debezium, with its defaults', () => {
  const config = parseConfig(connector, {
    'database.hostname': 'db',
    'database.user': 'u',
    'database.password': 'p',
    'database.dbname': 'd',
    'database.initial.statements': "SET x = 'a;;b'; SET y = 1",
  })
  expect(addressOf(config, 'app')).toMatchObject({
    host: 'db',
    port: 5432,
    user: 'u',
    password: 'p',
    database: 'd',
    ssl: { mode: 'prefer' },
    tcpKeepAlive: true,
    applicationName: 'app',
    initialStatements: ["SET x = 'a;b'", 'SET y = 1'],
    queryTimeoutMs: 600_000,
  })
})

test.each([
  ['', []],
  [' ; ', []],
  ['a', ['a']],
  ['a;', ['a']],
  ['a; b ', ['a', 'b']],
  ['a;;b', ['a;b']],
  ['a;;;b', ['a;', 'b']],
])('%j are the statements %j', (text, statements) => {
  expect(splitStatements(text)).toEqual(statements)
})
