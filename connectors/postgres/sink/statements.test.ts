import type pg from 'pg'
import { expect, test } from 'vitest'
import { preparedIn } from './statements.ts'

test('a session has so many prepared statements and no more', () => {
  const newSession = () => Object.create(null) as pg.Client
  const session = newSession()
  const statements = Array.from({ length: 1000 }, (_, n) => ({ name: `s${n}`, text: `SELECT ${n}` }))
  const named = () => statements.filter((one) => preparedIn(session, one).name !== undefined)
  expect(named()).toEqual(statements.slice(0, 200))
  expect(named()).toEqual(statements.slice(0, 200))
  expect(preparedIn(session, statements[999]!)).toEqual({ text: 'SELECT 999' })
  expect(preparedIn(newSession(), statements[999]!)).toEqual(statements[999])
})
