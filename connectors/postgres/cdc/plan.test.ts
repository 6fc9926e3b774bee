import { describe, expect, test } from 'vitest'
import { planOf, type PlanConfig, type PlanServer } from './plan.ts'
import type { Position, StreamPosition } from './offset.ts'
import { historyOf, type ServerLog } from './replication/server-log.ts'

const config: PlanConfig = {
  'slot.name': 'shop',
  'snapshot.mode': 'initial',
  'snapshot.mode.configuration.based.snapshot.data': false,
  'snapshot.mode.configuration.based.start.stream': true,
  'snapshot.mode.configuration.based.snapshot.on.data.error': false,
  'offset.mismatch.strategy': 'trust_offset',
}
const slot = { confirmedLsn: 100 }
const log = (
  timeline: number | undefined,
  ancestors: ServerLog['ancestors'] = new Map(),
  systemId = '7',
): ServerLog => ({
  ...{ systemId, timeline, ancestors },
})
const stored = (more: Partial<StreamPosition> = {}): StreamPosition => ({
  ...{ kind: 'stream', commitLsn: 200, partial: undefined, log: { systemId: '7', timeline: 1 } },
  ...more,
})
const plan = (position: Position, server: PlanServer, more: Partial<PlanConfig> = {}) =>
  planOf({ ...config, ...more }, position, slot, server)

describe('after a failover the stream goes on', () => {
  test.each<[string, PlanServer, StreamPosition]>([
    ['where the server had received all', { lsn: 900, log: log(2, new Map([[1, 200]])) }, stored()],
    [
      'over several promotions',
      {
        lsn: 900,
        log: log(
          3,
          new Map([
            [1, 250],
            [2, 300],
          ]),
        ),
      },
      stored(),
    ],
    [
      'where its history cannot be read',
      { lsn: 900, log: { systemId: '7', timeline: 2, ancestors: undefined } },
      stored(),
    ],
    ['where a standby has the same timeline', { lsn: Infinity, log: log(undefined) }, stored()],
    ['where the offset does not say of which log it is', { lsn: 900, log: log(2) }, stored({ log: undefined })],
    [
      'where the offset is from a standby',
      { lsn: 900, log: log(2) },
      stored({ log: { systemId: '7', timeline: undefined } }),
    ],
  ])('%s', (_, server, position) => {
    expect(plan(position, server)).toEqual({ snapshot: 'none', stream: true, from: position })
  })
})

describe('what a server cannot give is told', () => {
  const open = { xid: 5, lsn: 210, changes: 3, commitLsn: 260 }
  test.each<[string, PlanServer, StreamPosition, string]>([
    ['its log is shorter', { lsn: 199, log: log(1) }, stored(), 'PG_SERVER_BEHIND'],
    ['it had received less', { lsn: 900, log: log(2, new Map([[1, 199]])) }, stored(), 'PG_SERVER_BEHIND'],
    [
      'it had not received the end of a transaction that was told in part',
      { lsn: 900, log: log(2, new Map([[1, 259]])) },
      stored({ partial: open }),
      'PG_SERVER_BEHIND',
    ],
    [
      'it is the primary of before',
      { lsn: 900, log: log(1) },
      stored({ log: { systemId: '7', timeline: 2 } }),
      'PG_SERVER_OTHER',
    ],
    ['it is another server', { lsn: 900, log: log(1, new Map(), '8') }, stored(), 'PG_SERVER_OTHER'],
  ])('%s', (_, server, position, code) => {
    expect(() => plan(position, server)).toThrow(expect.objectContaining({ name: 'ConfigError', code }) as Error)
    expect(plan(position, server, { 'snapshot.mode': 'when_needed' })).toMatchObject({ snapshot: 'fresh' })
    expect(plan(position, server, { 'offset.mismatch.strategy': 'trust_slot' })).toEqual({
      ...{ snapshot: 'none', stream: true, from: undefined },
    })
  })

  test('a snapshot that was begun in what is lost begins anew', () => {
    const begun = { kind: 'snapshot', lsn: 200, visible: '5:5:', log: { systemId: '7', timeline: 1 } } as const
    expect(plan(begun, { lsn: 900, log: log(2, new Map([[1, 200]])) }).snapshot).toEqual({ resume: begun })
    expect(plan(begun, { lsn: 900, log: log(2, new Map([[1, 199]])) }).snapshot).toBe('fresh')
  })
})

test('a history file is read', () => {
  const text = '# a remark\n1\t0/3000158\tno recovery target specified\n\n2\tA/B0\tat restore point "1 0/1"\n'
  expect(historyOf(text)).toEqual(
    new Map([
      [1, 0x3000158],
      [2, 0xa000000b0],
    ]),
  )
})
