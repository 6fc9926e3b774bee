import { describe, expect, onTestFinished, test } from 'vitest'
import { LogError } from '../client/client.ts'
import { secretMask } from '../config/secrets.ts'
import type { BulkRequest } from './bulk-apply.ts'
import { startHerder, until, type Fixture } from './testing/fixture.ts'

const source = { 'connector.class': 'test-source', url: 'tcp://x' }
const configTopic = 'connect-configs'

async function started(): Promise<Fixture> {
  const fixture = await startHerder()
  onTestFinished(() => fixture.herder.close())
  return fixture
}

function bulk(configs: Record<string, Record<string, string>>, options: Partial<BulkRequest> = {}): BulkRequest {
  const connectors = new Map(Object.entries(configs).map(([name, config]) => [name, { config }]))
  return { connectors, deletesOthers: false, dryRun: false, ...options }
}

/** Connector configs written so far, by name. */
function written({ log }: Fixture): string[] {
  return log
    .records(configTopic)
    .filter(({ key }) => key.startsWith('connector-'))
    .map(({ key, value }) => `${value === null ? '-' : ''}${key.slice('connector-'.length)}`)
}

describe('a set of configs', () => {
  test('creates, changes, leaves alone and deletes, and the second time does nothing', async () => {
    const fixture = await started()
    const { bulk: writes, views } = fixture.herder
    for (const name of ['same', 'changed', 'gone']) await fixture.herder.writes.putConfig(name, source)
    const wanted = { same: source, changed: { ...source, mode: 'fast' }, fresh: source }
    expect(await writes.apply(bulk(wanted, { deletesOthers: true }))).toEqual({
      dryRun: false,
      connectors: {
        same: { action: 'unchanged' },
        changed: { action: 'update', changes: { mode: { from: null, to: 'fast' } } },
        fresh: {
          action: 'create',
          changes: {
            'connector.class': { from: null, to: 'test-source' },
            url: { from: null, to: 'tcp://x' },
            name: { from: null, to: 'fresh' },
          },
        },
        gone: { action: 'delete' },
      },
    })
    expect(views.names().sort()).toEqual(['changed', 'fresh', 'same'])
    expect(views.info('changed').config['mode']).toBe('fast')
    const before = written(fixture)
    const again = await writes.apply(bulk(wanted, { deletesOthers: true }))
    expect(Object.values(again.connectors)).toEqual(Array(3).fill({ action: 'unchanged' }))
    expect(written(fixture)).toEqual(before)
  })

  test('that does not ask for it deletes nothing', async () => {
    const { herder } = await started()
    await herder.writes.putConfig('other', source)
    await herder.bulk.apply(bulk({ one: source }))
    expect(herder.views.names().sort()).toEqual(['one', 'other'])
  })

  test('says what new connectors begin as, and leaves the state of the others alone', async () => {
    const { herder } = await started()
    await herder.writes.putConfig('old', source)
    const config = { ...source, mode: 'fast' }
    const connectors = new Map(['old', 'new'].map((name) => [name, { config, initialState: 'PAUSED' as const }]))
    await herder.bulk.apply({ connectors, deletesOthers: false, dryRun: false })
    expect(herder.views.stored('old')).toMatchObject({ config, targetState: 'STARTED' })
    expect(herder.views.stored('new')).toMatchObject({ config, targetState: 'PAUSED' })
  })

  test('with one wrong config changes nothing, and names all that is wrong', async () => {
    const fixture = await started()
    const { bulk: writes } = fixture.herder
    const applying = writes.apply(
      bulk({ good: source, bad: { 'connector.class': 'test-source' }, 'worse\n': { 'connector.class': 'nowhere' } }),
    )
    await expect(applying).rejects.toMatchObject({ name: 'ConfigError' })
    await expect(applying).rejects.toThrow(/^2 of 3 connector configs are wrong, and none was written\.\nbad: .*"url"/s)
    await expect(applying).rejects.toThrow(/\nworse\n: /)
    expect(written(fixture)).toEqual([])
  })

  test('keeps the stored secret where the mask comes back, and shows none', async () => {
    const { herder } = await started()
    const secret = { ...source, password: 'hunter22' }
    await herder.writes.putConfig('one', secret)
    const masked = { ...source, password: secretMask }
    expect((await herder.bulk.apply(bulk({ one: masked }))).connectors).toEqual({ one: { action: 'unchanged' } })
    const result = await herder.bulk.apply(bulk({ one: { ...source, password: 'hunter33' } }))
    expect(result.connectors['one']!.changes).toEqual({ password: { from: secretMask, to: secretMask } })
    expect(herder.views.storedConfig('one')!['password']).toBe('hunter33')
  })

  test('that gives a secret to a class which declares none shows it to nobody', async () => {
    const { herder } = await started()
    await herder.writes.putConfig('one', { ...source, password: 'hunter22' })
    const { connectors } = await herder.bulk.apply(
      bulk({ one: { 'connector.class': 'test-sink', topics: 'a', password: 'hunter33' } }, { dryRun: true }),
    )
    expect(JSON.stringify(connectors)).not.toContain('hunter')
  })

  test('is tried out without writing', async () => {
    const fixture = await started()
    const { herder } = fixture
    await herder.writes.putConfig('gone', source)
    const before = written(fixture)
    const result = await herder.bulk.apply(
      bulk(
        { fresh: { ...source, moed: 'fast' }, bad: { 'connector.class': 'test-source' } },
        {
          dryRun: true,
          deletesOthers: true,
        },
      ),
    )
    expect(result).toMatchObject({
      dryRun: true,
      connectors: {
        fresh: { action: 'create', warnings: [expect.stringContaining('moed')] },
        bad: { action: 'create', errors: { url: [expect.stringContaining('url')] } },
        gone: { action: 'delete' },
      },
    })
    expect(written(fixture)).toEqual(before)
    expect(herder.views.names()).toEqual(['gone'])
  })

  test('is carried out once, also where it is sent again after it failed halfway', async () => {
    const fixture = await started()
    const { herder, log } = fixture
    await herder.writes.putConfig('gone', source)
    await herder.writes.putConfig('old', source)
    const wanted = bulk({ a: source, b: source, old: { ...source, mode: 'fast' } }, { deletesOthers: true })
    log.refuse = ({ key }) =>
      key === 'connector-b' ? new LogError('TIMEOUT', 'no answer', { retriable: true }) : undefined
    await expect(herder.bulk.apply(wanted, 'request-1')).rejects.toThrow('no answer')
    log.refuse = () => undefined
    await until(() => herder.views.names().includes('a'))
    // Somebody else's change, made in between: the request that is sent again does not undo it.
    await herder.writes.patchConfig('a', { mode: 'fast' })
    const first = await herder.bulk.apply(wanted, 'request-1')
    expect(Object.entries(first.connectors).map(([name, { action }]) => `${action} ${name}`)).toEqual([
      'create a',
      'create b',
      'update old',
      'delete gone',
    ])
    const before = written(fixture)
    const second = await herder.bulk.apply(wanted, 'request-1')
    expect(Object.entries(second.connectors).map(([name, { action }]) => `${action} ${name}`)).toEqual([
      'create a',
      'create b',
      'update old',
      'delete gone',
    ])
    expect(written(fixture)).toEqual(before)
    expect(herder.views.info('a').config['mode']).toBe('fast')
  })

  test('checks anew what was changed since it was checked', async () => {
    const { herder, runner } = await started()
    await herder.writes.putConfig('one', { ...source, password: 'first' })
    // The stored secret that the mask stands for is the one of then.
    const checked = await herder.writes.check('one', { ...source, password: secretMask, mode: 'fast' })
    await herder.writes.putConfig('one', { ...source, password: 'second' })
    const given = { ...source, password: secretMask, mode: 'fast' }
    await herder.writes.apply('one', { config: given }, checked)
    expect(herder.views.storedConfig('one')).toMatchObject({ password: 'second', mode: 'fast' })
    runner.problems = { url: 'not there' }
    const stale = await herder.writes.check('one', { ...source, mode: 'safe' })
    expect(stale.errors).toEqual({ url: ['not there'] })
  })

  test('is the leader’s', async () => {
    const { herder, cluster } = await started()
    cluster.leads = false
    await expect(herder.bulk.apply(bulk({ one: source }))).rejects.toMatchObject({ name: 'NotLeaderError' })
  })
})
