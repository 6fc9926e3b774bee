import { expect, test } from 'vitest'
import { silentLogger } from '../logging/logger.ts'
import { loansBuffer } from './byte-budget.ts'
import type { HostBirth, HostMessage } from './host-messages.ts'
import { TaskHost } from './task-host.ts'
import type { TaskSpec } from './task-spec.ts'
import { until } from './testing/conditions.ts'
import { hostSettings } from './testing/host-settings.ts'
import { turnBuffer, type Turns } from './turns.ts'

/** A log that takes a task's first request, and never answers it. */
const silentLog = `
  const never = () => new Promise(() => undefined)
  const producer = () => ({ initTransactions: never, produce: never, close: async () => undefined })
  export const createClient = () => ({ admin: { topics: never }, producer, close: async () => undefined })
`

const converters = new URL('../convert/plugin.ts', import.meta.url).href
const converter = (name: string): TaskSpec['keyConverter'] => ({
  ref: { module: converters, name, version: '0.1.0' },
  config: {},
})

const spec: TaskSpec = {
  connector: 'c',
  task: 0,
  type: 'source',
  plugin: {
    module: new URL('../../../test/fixtures/plugins/countable/index.js', import.meta.url).href,
    name: 'counting',
    version: '1.0.0',
  },
  config: { name: 'c', 'connector.class': 'counting', topic: 't', end: '1' },
  keyConverter: converter('string'),
  valueConverter: converter('string'),
  headerConverter: converter('simple'),
  transforms: [],
  targetState: 'STARTED',
  generation: 1,
}

const settings: HostBirth = {
  ...hostSettings,
  clientModule: `data:text/javascript,${encodeURIComponent(silentLog)}`,
  turns: turnBuffer(),
  loans: loansBuffer(),
}

test('a task that has failed while it was put together does not run, and can be started again', async () => {
  const messages: HostMessage[] = []
  const turns = { note: () => undefined, step: () => undefined } as unknown as Turns
  const host = new TaskHost(settings, (message) => messages.push(message), silentLogger, turns)
  await host.calls.start({ spec, slot: 1 })
  host.uncaught(new Error('thrown while a module was loaded'))
  expect(messages).toMatchObject([{ kind: 'failed', trace: expect.stringContaining('thrown while') as string }])
  let isStarted = false
  const again = (): void =>
    void host.calls.start({ spec: { ...spec, generation: 2 }, slot: 2 }).then(
      () => (isStarted = true),
      () => undefined,
    )
  await until(() => {
    if (!isStarted) again()
    return isStarted
  })
  await host.calls.stop({ id: spec, graceMs: 1 })
})
