import { execFile } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { chmod, chown, copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postgresMissing, startPostgres, type TestPostgres } from '../../../test/support/postgres.ts'
import { makeCertificates, type TestCertificates } from '../../../test/support/security.ts'
import { connect, disconnect, socketOf } from '../link/connect.ts'
import type { Address, Ssl } from '../link/connection-settings.ts'
import { problemOf } from '../link/errors.ts'
import { addressOfServer } from './address.ts'

const missing = await postgresMissing()
const signal = new AbortController().signal
const run = promisify(execFile)

describe.skipIf(missing !== undefined)(`a session with PostgreSQL ${missing ?? ''}`, () => {
  let server: TestPostgres
  let certificates: TestCertificates
  let folder: string

  beforeAll(async () => {
    server = await startPostgres({ version: 'debian' })
    folder = await mkdtemp(join(tmpdir(), 'tidewire-link-'))
    certificates = await makeCertificates(folder)
  })
  afterAll(async () => {
    await server.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function show(more: Partial<Address>, sql: string, replication = false): Promise<unknown> {
    const client = await connect(addressOfServer(server, more), { signal, replication })
    try {
      return (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows[0]?.[0]
    } finally {
      await disconnect(client)
    }
  }

  test('has one text form of each value, whatever role and database have set', async () => {
    await server.sql(`CREATE ROLE odd SUPERUSER REPLICATION LOGIN`)
    for (const setting of [
      "DateStyle = 'German'",
      "IntervalStyle = 'sql_standard'",
      'extra_float_digits = -5',
      "TimeZone = 'Asia/Tokyo'",
      "bytea_output = 'escape'",
      "idle_session_timeout = '1s'",
      "client_encoding = 'LATIN1'",
    ]) {
      await server.sql(`ALTER ROLE odd SET ${setting}`)
    }
    const values = `SELECT concat_ws(' ', '2026-01-02 03:04:05+00'::timestamptz, '1 day 02:00'::interval, 0.1::float8 + 0.2::float8,
      '\\x00ff'::bytea, current_setting('client_encoding'), current_setting('idle_session_timeout'))`
    for (const replication of [false, true]) {
      expect(await show({ user: 'odd' }, values, replication)).toBe(
        '2026-01-02 03:04:05+00 1 day 02:00:00 0.30000000000000004 \\x00ff UTF8 0',
      )
    }
  })

  test('runs initial statements, has its name, its options and its timeout', async () => {
    const more = {
      initialStatements: ["SET search_path = 'odd'"],
      applicationName: 'mine',
      options: '-c work_mem=1234kB',
    }
    const settings = `SELECT concat_ws(' ', current_setting('search_path'), current_setting('application_name'),
      current_setting('work_mem'), current_setting('statement_timeout'))`
    expect(await show({ ...more, queryTimeoutMs: 5000 }, settings)).toBe('odd mine 1234kB 5s')
    await expect(show({ initialStatements: ['SELEKT 1'] }, 'SELECT 1')).rejects.toThrow(/initial statement "SELEKT 1"/)
    await expect(show({ queryTimeoutMs: 500 }, 'SELECT pg_sleep(60)')).rejects.toMatchObject({ code: '57014' })
  })

  test('needs a password where the server asks for one, and takes none from elsewhere', async () => {
    await server.sql("SET password_encryption = 'scram-sha-256'; CREATE ROLE locked LOGIN PASSWORD 'right'")
    const hba = join(server.dataDir, 'pg_hba.conf')
    const before = await readFile(hba, 'utf8')
    await writeFile(hba, `host all locked all scram-sha-256\n${before}`)
    await server.sql('SELECT pg_reload_conf()')
    process.env['PGPASSWORD'] = 'right'
    try {
      await expect
        .poll(() =>
          show({ user: 'locked' }, 'SELECT 1').then(
            () => 'in',
            (error: unknown) => (error as Error).message,
          ),
        )
        .toMatch(/needs a password, and none is set/)
      await expect(show({ user: 'locked', password: 'wrong' }, 'SELECT 1')).rejects.toMatchObject({
        name: 'ConfigError',
        code: 'PG_LOGIN_REFUSED',
      })
      expect(await show({ user: 'locked', password: 'right' }, 'SELECT 1')).toBe(1)
    } finally {
      delete process.env['PGPASSWORD']
    }
  })

  test('says why there is none', async () => {
    await expect(show({ database: 'none' }, 'SELECT 1')).rejects.toMatchObject({ code: 'PG_NO_DATABASE' })
    await expect(show({ user: 'none' }, 'SELECT 1')).rejects.toMatchObject({ code: 'PG_LOGIN_REFUSED' })
    await expect(show({ port: 1 }, 'SELECT 1')).rejects.toMatchObject({ code: 'PG_UNREACHABLE', retriable: true })
    await expect(show({ ssl: { mode: 'require' } }, 'SELECT 1')).rejects.toMatchObject({ code: 'PG_TLS' })
    await expect(show({ ssl: { mode: 'require', rootCertFile: '/none' } }, 'SELECT 1')).rejects.toThrow(
      /sslrootcert.*\/none/,
    )
    const stopped = AbortSignal.abort(new Error('stopped'))
    await expect(connect(addressOfServer(server), { signal: stopped })).rejects.toThrow('stopped')
  })

  test('that breaks fails what is under way, and all after it, and ends no process', async () => {
    const client = await connect(addressOfServer(server), { signal })
    const under = client.query('SELECT pg_sleep(60)').catch((error: unknown) => problemOf(error, 'x'))
    socketOf(client).destroy()
    expect(await under).toMatchObject({ retriable: true })
    await expect(client.query('SELECT 1').catch((error: unknown) => problemOf(error, 'x'))).resolves.toMatchObject({
      retriable: true,
    })
    await disconnect(client)
    const busy = await connect(addressOfServer(server), { signal })
    const cut = busy.query('SELECT pg_sleep(60)').catch(() => 'cut')
    await disconnect(busy)
    expect(await cut).toBe('cut')
  })

  describe('over TLS', () => {
    const encrypted = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'
    const withSsl = (ssl: Ssl) => show({ host: 'localhost', ssl }, encrypted)

    beforeAll(async () => {
      // Where the server's user may read it, and nobody else.
      const { uid, gid } = await stat(server.dataDir)
      const files = { 'test.pem': certificates.serverFile, 'ca.pem': certificates.caFile }
      for (const [name, from] of Object.entries(files)) {
        const file = join(server.dataDir, name)
        await copyFile(from, file)
        await chown(file, uid, gid)
        await chmod(file, 0o600)
      }
      await server.stop()
      await server.start({ ssl: 'on', ssl_cert_file: 'test.pem', ssl_key_file: 'test.pem', ssl_ca_file: 'ca.pem' })
    })

    test('is used where it is there and not turned off', async () => {
      expect(await withSsl({ mode: 'disable' })).toBe(false)
      expect(await withSsl({ mode: 'allow' })).toBe(false)
      expect(await withSsl({ mode: 'prefer' })).toBe(true)
      expect(await withSsl({ mode: 'require' })).toBe(true)
    })

    test('checks authority and name where it is told to', async () => {
      const rootCertFile = certificates.caFile
      expect(await withSsl({ mode: 'verify-ca', rootCertFile })).toBe(true)
      expect(await withSsl({ mode: 'verify-full', rootCertFile })).toBe(true)
      await expect(withSsl({ mode: 'verify-ca' })).rejects.toMatchObject({ name: 'ConfigError', code: 'PG_TLS' })
      await expect(withSsl({ mode: 'verify-full', rootCertFile: certificates.clientFile })).rejects.toMatchObject({
        code: 'PG_TLS',
      })
    })

    test('follows what pg_hba.conf wants of a connection', async () => {
      const hba = join(server.dataDir, 'pg_hba.conf')
      const before = await readFile(hba, 'utf8')
      await writeFile(hba, `hostnossl all secret all reject\nhostssl all plain all reject\n${before}`)
      await server.sql('CREATE ROLE secret LOGIN; CREATE ROLE plain LOGIN')
      await server.sql('SELECT pg_reload_conf()')
      const ask = (user: string, mode: Ssl['mode']) => show({ host: 'localhost', user, ssl: { mode } }, encrypted)
      await expect
        .poll(() =>
          ask('plain', 'require').then(
            () => 'in',
            (error: unknown) => (error as Error).message,
          ),
        )
        .toMatch(/pg_hba/)
      expect(await ask('secret', 'allow')).toBe(true)
      expect(await ask('plain', 'prefer')).toBe(false)
      await expect(ask('secret', 'disable')).rejects.toMatchObject({ code: 'PG_LOGIN_REFUSED' })
      await writeFile(hba, before)
    })

    test('logs in with a client certificate that the server asks for, whatever form its key has', async () => {
      const hba = join(server.dataDir, 'pg_hba.conf')
      const before = await readFile(hba, 'utf8')
      await server.sql('CREATE ROLE client LOGIN REPLICATION')
      const rule = 'client 127.0.0.1/32 trust clientcert=verify-full'
      await writeFile(
        hba,
        `hostssl all ${rule}\nhostssl replication ${rule}\nhostnossl all client all reject\n${before}`,
      )
      await server.sql('SELECT pg_reload_conf()')
      const name = 'SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()'
      const login = (ssl: Partial<Ssl>, replication = false) =>
        show(
          {
            user: 'client',
            password: undefined,
            ssl: { mode: 'verify-full', rootCertFile: certificates.caFile, ...ssl },
          },
          name,
          replication,
        )
      await expect
        .poll(() => login({}).catch((error: unknown) => error))
        .toMatchObject({ code: 'PG_LOGIN_REFUSED', message: expect.stringContaining('client certificate') })

      const [pem, pk8, p12] = [certificates.clientFile, join(folder, 'login.pk8'), join(folder, 'login.p12')]
      await writeFile(pk8, createPrivateKey(await readFile(pem)).export({ format: 'der', type: 'pkcs8' }))
      await run('openssl', ['pkcs12', '-export', '-in', pem, '-out', p12, '-passout', 'pass:open'])
      for (const replication of [false, true]) {
        expect(await login({ certFile: pem, keyFile: pem }, replication)).toBe('/CN=client')
        expect(await login({ certFile: pem, keyFile: pk8 }, replication)).toBe('/CN=client')
        expect(await login({ keyFile: p12, keyPassword: 'open' }, replication)).toBe('/CN=client')
      }
      await expect(login({ keyFile: p12, keyPassword: 'wrong' })).rejects.toMatchObject({
        name: 'ConfigError',
        message: expect.stringContaining('sslpassword'),
      })
      // A certificate of somebody else is none of this role's.
      await server.sql('CREATE ROLE other LOGIN')
      await writeFile(hba, `hostssl all other 127.0.0.1/32 trust clientcert=verify-full\n${before}`)
      await server.sql('SELECT pg_reload_conf()')
      await expect
        .poll(() =>
          show({ user: 'other', ssl: { mode: 'require', certFile: pem, keyFile: pem } }, name).catch(
            (error: unknown) => error,
          ),
        )
        .toMatchObject({ code: 'PG_LOGIN_REFUSED' })
      await writeFile(hba, before)
    })

    test('takes a client key in DER, as the JDBC driver does, and refuses what is none', async () => {
      const der = join(folder, 'client.pk8')
      const key = createPrivateKey(await readFile(certificates.clientFile))
      await writeFile(der, key.export({ format: 'der', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'open' }))
      const client = { mode: 'require', certFile: certificates.clientFile, keyFile: der } as const
      expect(await withSsl({ ...client, keyPassword: 'open' })).toBe(true)
      await expect(withSsl({ ...client, keyPassword: 'wrong' })).rejects.toThrow(/^sslkey: .*sslpassword/)
    })
  })
})
