import { generateKeyPairSync } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { errors, type JSONWebKeySet } from 'jose'
import { expect, test } from 'vitest'
import { IssuerKeys, KeysAwayError } from './issuer-keys.ts'

function keySet(kid: string): JSONWebKeySet {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256' }] }
}

test('a source that is away is waited for once; then known keys are good at once, until it is back or they are too old', async () => {
  const reads: PromiseWithResolvers<JSONWebKeySet>[] = []
  const read = async (): Promise<JSONWebKeySet> => {
    const one = Promise.withResolvers<JSONWebKeySet>()
    reads.push(one)
    return one.promise
  }
  let now = 0
  const keys = new IssuerKeys({ read, refreshMs: 1000, pauseMs: 100 }, () => now)
  const find = async (kid: string) => keys.find({ alg: 'ES256', kid }, { payload: '', signature: '' })
  const first = find('one')
  reads[0]!.resolve(keySet('one'))
  await first

  now = 1000
  const second = find('one')
  reads[1]!.reject(new Error('away'))
  await second
  now = 2000
  await find('one')
  await find('one')
  expect(reads).toHaveLength(3)
  reads[2]!.resolve(keySet('two'))
  await setImmediate()
  await find('two')
  await expect(find('one')).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey)

  now += 3_600_000
  const late = find('two')
  reads[3]!.reject(new Error('away'))
  await expect(late).rejects.toBeInstanceOf(KeysAwayError)
})
