import { describe, expect, test } from 'vitest'
import { errorByCode, errorCodes } from './errors.ts'

describe('error codes', () => {
  test('each stands for one name, and the other way round', () => {
    const codes = Object.values(errorCodes)
    expect(new Set(codes).size).toBe(codes.length)
    for (const [name, code] of Object.entries(errorCodes)) expect(errorByCode(code)).toMatchObject({ name, code })
    // From -1 on without a gap, as Kafka counts them.
    expect(codes.toSorted((a, b) => a - b)).toEqual(codes.map((_, i) => i - 1))
  })

  test('some that clients depend on', () => {
    expect(errorCodes.OFFSET_OUT_OF_RANGE).toBe(1)
    expect(errorByCode(errorCodes.NOT_COORDINATOR)).toMatchObject({ code: 16, retriable: true })
    expect(errorByCode(errorCodes.PRODUCER_FENCED)).toMatchObject({ code: 90, retriable: false })
  })

  test('one of a newer broker is a server error under its own code', () => {
    expect(errorByCode(9999)).toMatchObject({ code: 9999, name: 'UNKNOWN_SERVER_ERROR', retriable: false })
  })
})
