import { RetriableError } from '@tidewire/sdk'
import { expect, test } from 'vitest'
import { problemOf, sqlStateOf } from './errors.ts'

function serverError(code: string, message: string, more: object = {}): Error {
  return Object.assign(new Error(message), { code, ...more })
}

test.each([
  // [code, routine, message, kind, our code, part of the message]
  ['28P01', 'auth_failed', 'password authentication failed', 'ConfigError', 'PG_LOGIN_REFUSED', 'user and password'],
  ['28000', 'ClientAuthentication', 'no pg_hba.conf entry', 'ConfigError', 'PG_LOGIN_REFUSED', 'pg_hba.conf'],
  ['3D000', 'InitPostgres', 'database "x" does not exist', 'ConfigError', 'PG_NO_DATABASE', 'name of the database'],
  ['42501', 'aclcheck_error', 'permission denied for table t', 'ConfigError', 'PG_PRIVILEGE_MISSING', 'SELECT ON t'],
  ['42501', 'aclcheck_error', 'permission denied for schema s', 'ConfigError', 'PG_PRIVILEGE_MISSING', 'SCHEMA s'],
  [
    '42501',
    'x',
    'must be superuser or replication role to start walsender',
    'ConfigError',
    'PG_PRIVILEGE_MISSING',
    'ALTER ROLE',
  ],
  [
    '42501',
    'x',
    'must be superuser to create FOR ALL TABLES publication',
    'ConfigError',
    'PG_PRIVILEGE_MISSING',
    'filtered',
  ],
  ['42501', 'x', 'Keine Berechtigung', 'ConfigError', 'PG_PRIVILEGE_MISSING', 'Grant|grant'],
  [
    '55006',
    'ReplicationSlotAcquire',
    'replication slot "s" is active for PID 7',
    'RetriableError',
    'PG_SLOT_ACTIVE',
    'PID 7',
  ],
  // In whatever language the server speaks.
  ['55000', 'CheckLogicalDecodingRequirements', 'anders', 'ConfigError', 'PG_SERVER_SETTING', 'wal_level=logical'],
  ['55000', 'StartLogicalReplication', 'anders', 'ConfigError', 'PG_SLOT_LOST', 'when_needed'],
  ['58P01', 'WalSndSegmentOpen', 'anders', 'ConfigError', 'PG_SLOT_LOST', 'when_needed'],
  ['42704', 'ReplicationSlotAcquire', 'anders', 'ConfigError', 'PG_SLOT_MISSING', 'when_needed'],
  ['42704', 'get_publication_oid', 'anders', 'ConfigError', 'PG_PUBLICATION_MISSING', 'publication.autocreate.mode'],
  ['53400', 'ReplicationSlotCreate', 'anders', 'ConfigError', 'PG_SERVER_SETTING', 'max_replication_slots'],
  ['53300', 'InitWalSnd', 'anders', 'RetriableError', 'PG_53300', 'max_wal_senders'],
  ['53300', 'InitProcess', 'sorry, too many clients already', 'RetriableError', 'PG_53300', 'too many clients'],
  ['53100', 'x', 'could not extend file: No space left on device', 'RetriableError', 'PG_53100', 'No space'],
  ['57P01', 'ProcessInterrupts', 'terminating connection', 'RetriableError', 'PG_57P01', 'terminating'],
  ['57P03', 'x', 'the database system is starting up', 'RetriableError', 'PG_57P03', 'starting up'],
  ['08006', 'x', 'connection failure', 'RetriableError', 'PG_08006', 'failure'],
  ['40P01', 'x', 'deadlock detected', 'RetriableError', 'PG_40P01', 'deadlock'],
  ['25006', 'x', 'cannot execute INSERT in a read-only transaction', 'RetriableError', 'PG_25006', 'primary'],
  ['42601', 'x', 'syntax error', 'ConnectError', 'PG_42601', 'syntax'],
  ['ECONNREFUSED', '', 'connect ECONNREFUSED', 'RetriableError', 'PG_UNREACHABLE', 'host and port'],
  ['EPIPE', '', 'write EPIPE', 'RetriableError', 'PG_UNREACHABLE', 'EPIPE'],
  ['EAI_AGAIN', '', 'getaddrinfo EAI_AGAIN', 'RetriableError', 'PG_UNREACHABLE', 'host'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', '', 'self-signed certificate', 'ConfigError', 'PG_TLS', 'root certificate'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', '', 'Hostname does not match', 'ConfigError', 'PG_TLS', 'sslmode'],
  ['', '', 'The server does not support SSL connections', 'ConfigError', 'PG_TLS', 'ssl=on'],
  ['', '', 'Connection terminated unexpectedly', 'RetriableError', 'PG_UNREACHABLE', 'terminated'],
  ['', '', 'Query read timeout', 'RetriableError', 'PG_UNREACHABLE', 'timeout'],
  ['', '', 'a bug', 'ConnectError', 'PG_ERROR', 'a bug'],
])('%s %s: %s', (code, routine, message, kind, ours, says) => {
  const problem = problemOf(serverError(code, message, { routine }), 'doing it')
  expect(problem).toMatchObject({ name: kind, code: ours, retriable: kind === 'RetriableError' })
  expect(problem.message).toMatch(new RegExp(`^doing it: .*(${says})`))
  expect(problem.cause).toBeInstanceOf(Error)
})

test('what says all already stays as it is', () => {
  const error = new RetriableError('said')
  expect(problemOf(error, 'doing it')).toBe(error)
})

test('details and hints are told, but not those that quote data', () => {
  const more = { detail: 'Key (id)=(secret) exists.', hint: 'Try this.' }
  expect(problemOf(serverError('42P07', 'exists', more), 'x').message).toBe(
    'x: exists. Key (id)=(secret) exists. Try this',
  )
  expect(problemOf(serverError('23505', 'exists', more), 'x').message).toBe('x: exists')
})

test('a host with several addresses, none of which answers, is told with all', () => {
  const parts = [
    serverError('ECONNREFUSED', 'connect ECONNREFUSED ::1:5'),
    serverError('ECONNREFUSED', 'and 127.0.0.1:5'),
  ]
  const error = Object.assign(new AggregateError(parts), { code: 'ECONNREFUSED' })
  expect(problemOf(error, 'x').message).toMatch(/::1:5; and 127/)
})

test('only a server has a SQLSTATE', () => {
  expect(sqlStateOf(serverError('57014', ''))).toBe('57014')
  expect(sqlStateOf(serverError('EPIPE', ''))).toBeUndefined()
  expect(sqlStateOf(new Error())).toBeUndefined()
  expect(sqlStateOf('no error')).toBeUndefined()
})
