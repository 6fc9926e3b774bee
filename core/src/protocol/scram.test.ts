import { describe, expect, test } from 'vitest'
import {
  clientProof,
  escapeName,
  parseBase64,
  parseIterations,
  saltPassword,
  scramAttributes,
  scramCredential,
  serverSignature,
  unescapeName,
  verifyPassword,
  verifyProof,
  verifyServerSignature,
} from './scram.ts'

describe('the exchange of RFC 7677, section 3', () => {
  const mechanism = 'SCRAM-SHA-256'
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
  const authMessage = [
    'n=user,r=rOprNGfwEbeRWgbNEkqO',
    `r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`,
    `c=biws,r=${nonce}`,
  ].join(',')
  const proof = 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='
  const signature = '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='

  test('the client proves what it knows', async () => {
    const salted = await saltPassword(mechanism, 'pencil', { salt, iterations: 4096 })
    expect(clientProof(mechanism, salted, authMessage).toString('base64')).toBe(proof)
    expect(verifyServerSignature(mechanism, salted, authMessage, Buffer.from(signature, 'base64'))).toBe(true)
    expect(verifyServerSignature(mechanism, salted, `${authMessage}x`, Buffer.from(signature, 'base64'))).toBe(false)
    expect(verifyServerSignature(mechanism, salted, authMessage, Buffer.alloc(0))).toBe(false)
  })

  test('the server verifies it and answers in kind', async () => {
    const credential = await scramCredential(mechanism, 'pencil', salt, 4096)
    expect(verifyProof(mechanism, credential, authMessage, Buffer.from(proof, 'base64'))).toBe(true)
    expect(verifyProof(mechanism, credential, `${authMessage}x`, Buffer.from(proof, 'base64'))).toBe(false)
    expect(verifyProof(mechanism, credential, authMessage, Buffer.alloc(31))).toBe(false)
    expect(serverSignature(mechanism, credential.serverKey, authMessage).toString('base64')).toBe(signature)
  })
})

test.each(['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)(
  'a password is verified against its %s credential',
  async (m) => {
    const credential = await scramCredential(m, 'päss,=x', Buffer.from('salt'), 4096)
    expect(await verifyPassword(m, credential, 'päss,=x')).toBe(true)
    expect(await verifyPassword(m, credential, 'päss,=')).toBe(false)
    expect(await verifyPassword(m, credential, '')).toBe(false)
  },
)

test('names are escaped and back', () => {
  expect(escapeName('a=b,c=2C')).toBe('a=3Db=2Cc=3D2C')
  expect(unescapeName('a=3Db=2Cc=3D2C')).toBe('a=b,c=2C')
  for (const wrong of ['a=', 'a=2', 'a=2c', 'a=41']) expect(() => unescapeName(wrong)).toThrow('escaped')
})

test('attributes come in their order, with extensions behind', () => {
  expect(scramAttributes('r=a=b,s=c,i=1,x=y', ['r', 's', 'i'])).toEqual({ r: 'a=b', s: 'c', i: '1' })
  for (const wrong of ['', 'r', 'r=1', 's=1,r=2', 'm=x,r=1,s=2', 'r=1,,s=2']) {
    expect(() => scramAttributes(wrong, ['r', 's'])).toThrow('attribute')
  }
})

test('iterations are bounded', () => {
  expect(parseIterations('4096')).toBe(4096)
  for (const wrong of ['', '4095', '1000001', '99999999999', '-4096', '4096.0', '1e5', 'x']) {
    expect(() => parseIterations(wrong), wrong).toThrow('iterations')
  }
})

test('base64 is strict', () => {
  expect(parseBase64('AAAA', 3)).toEqual(Buffer.alloc(3))
  for (const wrong of ['', 'AAA', 'AA=A', '%%%%', 'AAAAAAAA'])
    expect(() => parseBase64(wrong, 3), wrong).toThrow('base64')
})
