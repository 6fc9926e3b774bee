import { afterEach, describe, expect, test } from 'vitest'
import { HostHandle, type Death } from './host-handle.ts'
import { until } from './testing/conditions.ts'
import { hostSettings } from './testing/host-settings.ts'

let host: HostHandle
let deaths: Death[]

function start(): void {
  deaths = []
  host = new HostHandle(
    'host',
    { ...hostSettings, heartbeatMs: 20 },
    { heapMb: 64, isShared: true },
    { onMessage: () => undefined, onDeath: (death) => deaths.push(death) },
  )
}

afterEach(async () => host.terminate())

/** As the worker looks, once about every heartbeat. */
const look = (): { missed: number; turn: ReturnType<HostHandle['longTurn']> } => ({
  missed: host.countMissedBeats(),
  turn: host.longTurn(),
})

describe('a host thread', () => {
  test('that still loads has no long turn, however often one looks: no task of it can be at fault', () => {
    start()
    const looks = Array.from({ length: 5 }, look)
    expect(looks.map(({ missed }) => missed)).toEqual([0, 1, 2, 3, 4])
    expect(looks.filter(({ turn }) => turn !== undefined)).toEqual([])
  })

  test('that is up and says nothing between two looks has one', async () => {
    start()
    await until(() => host.health !== undefined)
    // No word of it is heard in between: they are one turn of this thread.
    look()
    look()
    expect(look().turn).toMatchObject({ task: undefined })
  })

  test('knows a task that is started again by its first number, and others by their own', () => {
    start()
    expect(['a-0', 'b-0', 'a-0', 'c-0', 'b-0'].map((task) => host.takeSlot(task))).toEqual([1, 2, 1, 3, 2])
  })

  test('that is killed twice dies once, of what it was killed for first', async () => {
    start()
    await Promise.all([host.kill('blocked its thread'), host.kill('was asked again')])
    await until(() => host.isDead)
    expect(deaths).toEqual([{ reason: expect.stringContaining('blocked its thread') as string, culprit: undefined }])
  })
})
