import { expect, test } from 'vitest'
import { createLogger } from '../../logging/logger.ts'
import { RareWarning } from '../../logging/rare-warning.ts'
import { Credentials } from './credentials.ts'
import { SaslSession } from './session.ts'

test('a client that guesses passwords does not fill the log', async () => {
  const lines: string[] = []
  const logger = createLogger({ write: (level, message) => lines.push(`${level} ${message}`) })
  const warning = new RareWarning(logger)
  for (let i = 0; i < 25; i++) {
    const session = new SaslSession({
      mechanisms: ['PLAIN'],
      credentials: new Credentials('/nowhere/users', true),
      maxSessionMs: 0,
      failureDelayMs: 0,
      logger,
      warning,
      client: '127.0.0.1:1',
    })
    session.begin('PLAIN')
    expect(await session.step(Buffer.from('\0alice\0guess'))).toMatchObject({ error: 'SASL_AUTHENTICATION_FAILED' })
  }
  expect(lines.filter((line) => line.startsWith('warn '))).toHaveLength(10)
  expect(lines.filter((line) => line.startsWith('error '))).toEqual([])
})
