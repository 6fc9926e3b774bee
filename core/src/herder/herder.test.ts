import { ConfigError, RetriableError } from '@tidewire/sdk'
import { afterEach, describe, expect, test } from 'vitest'
import { secretMask } from '../config/secrets.ts'
import { silentLogger } from '../logging/logger.ts'
import { PluginRegistry } from '../plugin/plugin-registry.ts'
import { startHerder, until, type Fixture } from './testing/fixture.ts'
import { MemoryLog } from './testing/memory-log.ts'
import { InvalidConfigError } from './validation.ts'

const source = { 'connector.class': 'test-source', url: 'tcp://x' }
const running: Fixture[] = []
const start: typeof startHerder = async (...args) => {
  const fixture = await startHerder(...args)
  running.push(fixture)
  return fixture
}
afterEach(async () => {
  await Promise.all(running.splice(0).map(({ herder }) => herder.close()))
})

const state = ({ herder }: Fixture, name: string) => herder.views.status(name).connector.state
const taskStates = ({ herder }: Fixture, name: string) => herder.views.status(name).tasks.map(({ state }) => state)

async function deployed(fixture: Fixture, name: string, tasks = 1, config: Record<string, string> = {}): Promise<void> {
  fixture.runner.plan = async (_, max) => Array.from({ length: max }, (_, i) => ({ part: String(i) }))
  await fixture.herder.writes.create(name, { ...source, 'tasks.max': String(tasks), ...config })
  await until(() => taskStates(fixture, name).filter((state) => state === 'RUNNING').length === tasks)
  await until(() => state(fixture, name) === 'RUNNING')
}

describe('connectors', () => {
  test('are created, planned, and their tasks started with the config and converters they need', async () => {
    const fixture = await start()
    const { info, created } = await fixture.herder.writes.create('a', {
      ...source,
      'tasks.max': '2',
      'key.converter': 'string',
    })
    expect({ info, created }).toEqual({
      info: {
        name: 'a',
        config: { ...source, 'tasks.max': '2', 'key.converter': 'string', name: 'a' },
        tasks: [],
        type: 'source',
      },
      created: true,
    })
    await until(() => state(fixture, 'a') === 'RUNNING')
    await until(() => taskStates(fixture, 'a').join() === 'RUNNING')
    const spec = fixture.runner.running.get('a-0')!
    expect(spec).toMatchObject({
      type: 'source',
      plugin: { name: 'test-source', version: '1.2.3' },
      targetState: 'STARTED',
    })
    expect(spec.config).toMatchObject({ name: 'a', url: 'tcp://x' })
    expect(spec.keyConverter).toMatchObject({ ref: { name: 'string' }, config: {} })
    expect(spec.valueConverter).toMatchObject({ ref: { name: 'json' }, config: { 'schemas.enable': 'false' } })
    expect(spec.headerConverter).toMatchObject({ ref: { name: 'simple' } })
    expect(fixture.herder.views.status('a')).toEqual({
      name: 'a',
      connector: { state: 'RUNNING', worker_id: '127.0.0.1:8083', version: '1.2.3' },
      tasks: [{ id: 0, state: 'RUNNING', worker_id: '127.0.0.1:8083', version: '1.2.3' }],
      type: 'source',
    })
    await expect(fixture.herder.writes.create('a', source)).rejects.toThrow('Connector a already exists')
  })

  test('that are deleted while they are planned, and made again, have one life: the late plan of the first is no matter', async () => {
    const fixture = await start()
    const { herder, runner } = fixture
    const plan = Promise.withResolvers<Record<string, string>[]>()
    runner.plan = () => plan.promise
    await herder.writes.create('a', source)
    await until(() => runner.calls.includes('plan a'))
    await herder.writes.delete('a')
    await deployed(fixture, 'a')
    plan.resolve([{}])
    await deployed(fixture, 'b')
    expect(taskStates(fixture, 'a')).toEqual(['RUNNING'])
    expect(runner.calls.filter((call) => call === 'start a-0')).toHaveLength(1)
  })

  test('of the same name and at the same time: one is created', async () => {
    const { herder } = await start()
    const results = await Promise.allSettled([
      herder.writes.create('a', source),
      herder.writes.create('a', source),
      herder.writes.create('a', source),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  })

  test('go on from the topics after a restart of the worker, with no new writes to the config topic', async () => {
    const first = await start()
    await deployed(first, 'a', 2)
    await first.herder.writes.setTargetState('a', 'PAUSED')
    await deployed(first, 'b')
    const written = first.log.records('connect-configs')
    await first.herder.close()
    expect(first.runner.closed).toBe(true)
    running.splice(0)
    const again = await start(first.log)
    again.runner.plan = first.runner.plan
    await until(() => taskStates(again, 'a').join() === 'PAUSED,PAUSED' && state(again, 'a') === 'PAUSED')
    await until(() => taskStates(again, 'b').join() === 'RUNNING' && state(again, 'b') === 'RUNNING')
    expect(again.log.records('connect-configs')).toEqual(written)
  })

  test('say UNASSIGNED when the worker has stopped, save for what had failed', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 2)
    fixture.runner.tell('a-1', 'FAILED', 'boom')
    await fixture.herder.close()
    running.splice(0)
    const states = Object.fromEntries(
      fixture.log
        .records('connect-status')
        .map(({ key, value }) => [key, (JSON.parse(value!) as { state: string }).state]),
    )
    expect(states).toEqual({
      'status-connector-a': 'UNASSIGNED',
      'status-task-a-0': 'UNASSIGNED',
      'status-task-a-1': 'FAILED',
    })
  })

  test('whose config changes get new tasks; those whose config is the same go on undisturbed', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 2)
    fixture.runner.calls.length = 0
    await fixture.herder.writes.putConfig('a', { ...source, 'tasks.max': '2' })
    await until(() => fixture.runner.calls.includes('plan a'))
    expect(fixture.runner.calls).toEqual(['plan a'])
    const written = await fixture.herder.writes.putConfig('a', { ...source, 'tasks.max': '1' })
    expect(written.created).toBe(false)
    await until(() => fixture.runner.calls.includes('stop a-1') && taskStates(fixture, 'a').join() === 'RUNNING')
    expect(fixture.runner.running.get('a-0')!.config['tasks.max']).toBe('1')
  })

  test('are patched: null removes a setting', async () => {
    const fixture = await start()
    await fixture.herder.writes.create('a', { ...source, 'batch.size': '5', mode: 'fast' })
    const { info } = await fixture.herder.writes.patchConfig('a', { 'batch.size': null, mode: 'safe' })
    expect(info.config).toEqual({ ...source, mode: 'safe', name: 'a' })
    await expect(fixture.herder.writes.patchConfig('b', {})).rejects.toThrow('Connector b not found')
  })

  test('are deleted with their tasks and states', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 2)
    await fixture.herder.writes.delete('a')
    expect(fixture.herder.views.names()).toEqual([])
    expect(() => fixture.herder.views.status('a')).toThrow('No status found for connector a')
    await until(() => fixture.runner.running.size === 0)
    await expect(fixture.herder.writes.delete('a')).rejects.toThrow('Connector a not found')
    await deployed(fixture, 'a')
    expect(fixture.runner.running.size).toBe(1)
  })

  test('whose tasks ask too much, or whose config cannot work, fail with the reason and are not tried again', async () => {
    const fixture = await start()
    fixture.runner.plan = async () => [{}, {}]
    await fixture.herder.writes.create('a', source)
    await until(() => state(fixture, 'a') === 'FAILED')
    expect(fixture.herder.views.status('a').connector.trace).toContain('asks for 2 tasks, and tasks.max allows 1')
    fixture.runner.plan = async () => Promise.reject(new ConfigError('no such table'))
    await fixture.herder.writes.create('b', source)
    await until(() => state(fixture, 'b') === 'FAILED')
    expect(fixture.herder.views.status('b').connector.trace).toBe('ConfigError: no such table')
    fixture.runner.plan = async () => [{}]
    await fixture.herder.writes.putConfig('b', source)
    await until(() => state(fixture, 'b') === 'RUNNING')
  })

  test('that hang while they plan fail by the time limit, and their neighbours do not wait', async () => {
    const fixture = await start(undefined, { planTimeoutMs: 200 })
    fixture.runner.plan = (config) =>
      config['name'] === 'hangs' ? new Promise(() => undefined) : Promise.resolve([{}])
    await fixture.herder.writes.create('hangs', source)
    await fixture.herder.writes.create('b', source)
    await until(() => state(fixture, 'b') === 'RUNNING')
    await until(() => state(fixture, 'hangs') === 'FAILED')
    expect(fixture.herder.views.status('hangs').connector.trace).toContain('did not finish within 0.2 s')
    await fixture.herder.writes.delete('hangs')
  })

  test('that fail in passing are planned again by themselves', async () => {
    const fixture = await start()
    let failures = 1
    fixture.runner.plan = async () => (failures-- > 0 ? Promise.reject(new RetriableError('database is down')) : [{}])
    await fixture.herder.writes.create('a', source)
    await until(() => state(fixture, 'a') === 'FAILED')
    await until(() => state(fixture, 'a') === 'RUNNING')
  })

  test('whose plugin is gone show it, while the worker and the others run', async () => {
    const first = await start()
    await deployed(first, 'a')
    await first.herder.close()
    running.splice(0)
    const plugins = new PluginRegistry({ paths: ['/nowhere'], builtIns: [], logger: silentLogger })
    const again = await start(first.log, { plugins })
    await until(() => state(again, 'a') === 'FAILED' && taskStates(again, 'a').join() === 'FAILED')
    expect(again.herder.views.status('a').connector.trace).toContain(
      'Failed to find any connector plugin with name test-source',
    )
    expect(again.herder.views.status('a').connector.trace).toContain('/nowhere (no such file or folder)')
    expect(again.herder.views.info('a').type).toBe('unknown')
  })

  test('many are created at the same time', async () => {
    const fixture = await start()
    const names = Array.from({ length: 500 }, (_, i) => `c${i}`)
    await Promise.all(names.map((name) => fixture.herder.writes.create(name, source)))
    await until(() => fixture.runner.running.size === 500)
    expect(fixture.herder.views.names()).toHaveLength(500)
  })
})

describe('target states', () => {
  test('pause and resume tasks where they are; stop ends them', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 2)
    await fixture.herder.writes.setTargetState('a', 'PAUSED')
    await until(() => taskStates(fixture, 'a').join() === 'PAUSED,PAUSED' && state(fixture, 'a') === 'PAUSED')
    await fixture.herder.writes.setTargetState('a', 'STARTED')
    await until(() => taskStates(fixture, 'a').join() === 'RUNNING,RUNNING' && state(fixture, 'a') === 'RUNNING')
    expect(fixture.runner.calls.filter((call) => call.startsWith('stop'))).toEqual([])
    await fixture.herder.writes.setTargetState('a', 'STOPPED')
    await until(() => state(fixture, 'a') === 'STOPPED')
    expect(fixture.herder.views.status('a').tasks).toEqual([])
    expect(fixture.herder.views.tasks('a')).toEqual([])
    expect(fixture.runner.running.size).toBe(0)
    await fixture.herder.writes.setTargetState('a', 'STARTED')
    await until(() => taskStates(fixture, 'a').join() === 'RUNNING,RUNNING')
  })

  test('stop and resume in quick succession end with the tasks running', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 2)
    for (let i = 0; i < 20; i++) {
      await Promise.all([
        fixture.herder.writes.setTargetState('a', 'STOPPED'),
        fixture.herder.writes.setTargetState('a', 'STARTED'),
      ])
    }
    await until(() => taskStates(fixture, 'a').join() === 'RUNNING,RUNNING' && state(fixture, 'a') === 'RUNNING')
  })

  test('may be given from the start', async () => {
    const fixture = await start()
    await fixture.herder.writes.create('stopped', source, 'STOPPED')
    await fixture.herder.writes.create('paused', source, 'PAUSED')
    await until(() => state(fixture, 'stopped') === 'STOPPED')
    await until(() => taskStates(fixture, 'paused').join() === 'PAUSED' && state(fixture, 'paused') === 'PAUSED')
    expect(fixture.runner.calls).not.toContain('plan stopped')
  })
})

describe('restart', () => {
  test('of the connector alone leaves the tasks running', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 2)
    fixture.runner.calls.length = 0
    const status = await fixture.herder.writes.restart('a', { includeTasks: false, onlyFailed: false })
    expect(status.connector.state).toBe('RESTARTING')
    expect(status.tasks.map(({ state }) => state)).toEqual(['RUNNING', 'RUNNING'])
    await until(() => state(fixture, 'a') === 'RUNNING')
    expect(fixture.runner.calls).toEqual(['plan a'])
  })

  test('of what failed leaves the rest alone', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 3)
    fixture.runner.tell('a-1', 'FAILED', 'boom')
    expect(fixture.herder.views.taskStatus('a', 1)).toEqual({
      id: 1,
      state: 'FAILED',
      worker_id: '127.0.0.1:8083',
      version: '1.2.3',
      trace: 'boom',
    })
    fixture.runner.calls.length = 0
    const status = await fixture.herder.writes.restart('a', { includeTasks: true, onlyFailed: true })
    expect(status.tasks.map(({ state }) => state)).toEqual(['RUNNING', 'RESTARTING', 'RUNNING'])
    await until(() => taskStates(fixture, 'a').join() === 'RUNNING,RUNNING,RUNNING')
    expect(fixture.runner.calls).toEqual(['stop a-1', 'start a-1'])
    await fixture.herder.writes.restart('a', { includeTasks: true, onlyFailed: false })
    await until(() => fixture.runner.calls.filter((call) => call.startsWith('start')).length === 4)
    await until(() => taskStates(fixture, 'a').join() === 'RUNNING,RUNNING,RUNNING')
  })

  test('of a task starts it anew, also where it could not start before', async () => {
    const fixture = await start()
    fixture.runner.startError = new Error('no thread')
    await fixture.herder.writes.create('a', source)
    await until(() => taskStates(fixture, 'a').join() === 'FAILED')
    expect(fixture.herder.views.taskStatus('a', 0).trace).toContain('no thread')
    fixture.runner.startError = undefined
    await fixture.herder.writes.restartTask('a', 0)
    await until(() => taskStates(fixture, 'a').join() === 'RUNNING')
    await expect(fixture.herder.writes.restartTask('a', 1)).rejects.toThrow('Unknown task: a-1')
  })

  test('news of an earlier run of a task counts for nothing', async () => {
    const fixture = await start()
    await deployed(fixture, 'a')
    const old = fixture.runner.running.get('a-0')!
    await fixture.herder.writes.restartTask('a', 0)
    await until(() => fixture.runner.running.get('a-0') !== undefined && fixture.runner.running.get('a-0') !== old)
    fixture.runner.running.set('old', old)
    fixture.runner.tell('old', 'FAILED', 'late news')
    expect(taskStates(fixture, 'a')).toEqual(['RUNNING'])
  })
})

describe('validation', () => {
  test('names every field and reason at once', async () => {
    const { herder } = await start()
    const config = {
      'connector.class': 'TestSource',
      'batch.size': 'x',
      'legacy.mode': '1',
      transforms: 'a',
      'key.converter': 'jso',
      'value.converter': 'json',
      'value.converter.schemas.enable': 'maybe',
    }
    const refused = await herder.writes.create('a', config).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(InvalidConfigError)
    const { errors, message } = refused as InvalidConfigError
    expect(Object.keys(errors).sort()).toEqual([
      'batch.size',
      'key.converter',
      'legacy.mode',
      'transforms.a.type',
      'url',
      'value.converter.schemas.enable',
    ])
    expect(message).toContain('contains the following 6 error(s):')
    expect(message).toContain(
      'Invalid value maybe for configuration value.converter.schemas.enable: expected true or false',
    )
    expect(errors['key.converter']![0]).toContain('did you mean json?')
    expect(herder.views.names()).toEqual([])
  })

  test('refuses settings of a converter that it lacks, with the reason', async () => {
    const { herder } = await start()
    const config = {
      'connector.class': 'TestSource',
      url: 'x',
      'value.converter': 'avro',
      'value.converter.schema.registry.url': 'http://localhost:8081',
      'value.converter.request.header.X-Team': 'a',
    }
    const refused = (await herder.writes.create('a', config).catch((error: unknown) => error)) as InvalidConfigError
    expect(refused.errors).toEqual({
      'value.converter.request.header.X-Team': [
        expect.stringMatching(/^Configuration value\.converter\.request\.header\.X-Team is not supported: of log-ins/),
      ],
    })
  })

  test('asks the connector for its own rules', async () => {
    const { herder, runner } = await start()
    runner.problems = { url: 'Host is not allowed' }
    await expect(herder.writes.create('a', source)).rejects.toThrow(/Host is not allowed/)
  })

  test.each([
    [{}, 'connector.class'],
    [{ 'connector.class': 'nope' }, 'Failed to find any connector plugin with name nope'],
    [{ 'connector.class': 'test-sink' }, 'Must configure one of topics or topics.regex'],
    [{ ...source, 'exactly.once.support': 'required' }, 'cannot read its records again'],
    [{ ...source, password: secretMask }, 'holds the mask'],
    [
      { ...source, 'connector.plugin.version': '[2,3)' },
      'for configuration connector.plugin.version: No version of connector',
    ],
    [
      { ...source, 'connector.plugin.version': '[2' },
      "for configuration connector.plugin.version: '[2' is not a range",
    ],
    [
      { ...source, 'key.converter': 'json', 'key.converter.plugin.version': '99' },
      'Invalid value 99 for configuration key.converter.plugin.version: No version of converter plugin json is within 99',
    ],
  ])('refuses %j', async (config, reason) => {
    const { herder } = await start()
    await expect(herder.writes.create('a', config as Record<string, string>)).rejects.toThrow(reason)
  })

  test('answers in Kafka Connect’s shape, with secrets masked', async () => {
    const { herder } = await start()
    const { infos, warnings } = await herder.plugins.validate('test-source', {
      ...source,
      url: '',
      password: 'S3CRET',
      'batch.sise': '1',
    })
    expect(infos.error_count).toBe(2)
    expect(infos.groups).toEqual([
      'Common',
      'Transforms',
      'Predicates',
      'Error Handling',
      'Topic Creation',
      'Exactly Once Support',
      'offsets.topic',
      'Connection',
    ])
    const byName = new Map(infos.configs.map((info) => [info.value.name, info]))
    expect(byName.get('url')).toMatchObject({
      definition: { type: 'STRING', required: true, group: 'Connection' },
      value: { value: '', errors: [expect.stringContaining('url')] },
    })
    expect(byName.get('mode')!.value).toEqual({
      name: 'mode',
      value: 'safe',
      recommended_values: ['fast', 'safe'],
      errors: [],
      visible: true,
    })
    expect(byName.get('password')!.value.value).toBe(secretMask)
    expect(byName.get('batch.sise')).toMatchObject({ definition: null })
    expect(warnings).toEqual(['Unknown configuration batch.sise has no effect: did you mean batch.size?'])
    expect(JSON.stringify(infos)).not.toContain('S3CRET')
    await expect(herder.plugins.validate('test-sink', source)).rejects.toThrow(/does not match request type/)
  })
})

describe('secrets', () => {
  test('are masked in every answer, reach the task, and survive read, change and write', async () => {
    const fixture = await start()
    const { info } = await fixture.herder.writes.create('a', { ...source, password: 'S3CRET' })
    await until(() => taskStates(fixture, 'a').join() === 'RUNNING')
    expect(info.config['password']).toBe(secretMask)
    expect(JSON.stringify([fixture.herder.views.info('a'), fixture.herder.views.tasks('a')])).not.toContain('S3CRET')
    await fixture.herder.writes.putConfig('a', { ...fixture.herder.views.info('a').config, mode: 'fast' })
    await until(() => fixture.runner.running.get('a-0')?.config['mode'] === 'fast')
    expect(fixture.runner.running.get('a-0')!.config['password']).toBe('S3CRET')
  })
})

describe('transforms and predicates', () => {
  const shaped = {
    ...source,
    name: 'a',
    transforms: 'stamp, only.some',
    'transforms.stamp.type': 'Stamp$Value',
    'transforms.stamp.field': 'at',
    'transforms.only.some.type': 'test-stamp',
    'transforms.only.some.field': 'by',
    'transforms.only.some.predicate': 'late',
    'transforms.only.some.negate': 'true',
    predicates: 'late',
    'predicates.late.type': 'test-is-late',
    'predicates.late.after.ms': '5',
  }

  test('are validated in the connector’s validation, with definitions in groups of their own', async () => {
    const { herder } = await start()
    const { infos, warnings } = await herder.plugins.validate('test-source', shaped)
    expect([infos.error_count, warnings]).toEqual([0, []])
    expect(infos.groups).toEqual(
      expect.arrayContaining([
        'Transforms',
        'Predicates',
        'Transforms: stamp',
        'Transforms: only.some',
        'Predicates: late',
      ]),
    )
    const byName = new Map(infos.configs.map((info) => [info.value.name, info]))
    expect(byName.get('transforms.stamp.type')).toMatchObject({
      definition: { type: 'CLASS', required: true, importance: 'HIGH', group: 'Transforms: stamp', order_in_group: 0 },
      value: { value: 'Stamp$Value', errors: [] },
    })
    expect(byName.get('transforms.stamp.negate')).toMatchObject({
      definition: { type: 'BOOLEAN', default_value: 'false' },
    })
    expect(byName.get('predicates.late.after.ms')).toMatchObject({
      definition: { type: 'LONG', group: 'Predicates: late' },
    })
  })

  test.each([
    [{ transforms: 'stamp,stamp' }, 'transforms', 'Duplicate alias provided: stamp'],
    [{ transforms: 'stamp,' }, 'transforms', 'an alias is empty'],
    [{ transforms: 'other' }, 'transforms.other.type', 'Missing required configuration'],
    [{ 'transforms.stamp.type': 'test-stanp' }, 'transforms.stamp.type', 'did you mean test-stamp?'],
    [{ 'transforms.stamp.plugin.version': '9' }, 'transforms.stamp.plugin.version', 'Available: 1.2.3'],
    [{ 'transforms.stamp.field': '' }, 'transforms.stamp.field', 'non-empty'],
    [{ 'transforms.only.some.negate': 'maybe' }, 'transforms.only.some.negate', 'true or false'],
    [{ 'transforms.stamp.negate': 'true' }, 'transforms.stamp.type', 'there is no config'],
    [{ 'transforms.only.some.predicate': 'lat' }, 'transforms.only.some.predicate', 'did you mean late?'],
    [{ 'predicates.late.type': 'test-stamp' }, 'predicates.late.type', 'Failed to find any predicate plugin'],
    [{ 'predicates.late.after.ms': 'x' }, 'predicates.late.after.ms', 'a whole number'],
  ])('refuses %j', async (more, setting, reason) => {
    const { herder } = await start()
    const { infos } = await herder.plugins.validate('test-source', { ...shaped, ...more })
    const faults = infos.configs.filter(({ value }) => value.errors.length > 0)
    expect(faults.map(({ value }) => value.name)).toEqual([setting])
    expect(faults[0]!.value.errors.join()).toContain(reason)
  })

  test('are asked for their own rules, and unknown settings are warned of', async () => {
    const { herder, runner } = await start()
    runner.partProblems = { field: 'must be short' }
    await expect(herder.writes.create('a', shaped)).rejects.toThrow('\ntransforms.stamp.field: must be short\n')
    runner.partProblems = {}
    const strange = {
      ...shaped,
      'transforms.stamp.fields': 'x',
      'transforms.stomp.field': 'x',
      'predicates.late.x': 'y',
    }
    const { warnings } = await herder.plugins.validate('test-source', strange)
    expect(warnings).toEqual([
      'Configuration transforms.stomp.field has no effect, since stomp is not in transforms; did you mean stamp?',
      'Unknown configuration transforms.stamp.fields has no effect: did you mean transforms.stamp.field?',
      'Unknown configuration predicates.late.x has no effect',
    ])
  })

  test('have their secrets masked, and a mask keeps what is stored; nothing is shown of an unknown type', async () => {
    const fixture = await start()
    const { herder } = fixture
    await deployed(fixture, 'a', 1, { ...shaped, 'transforms.stamp.api.key': 'S3CRET-KEY' })
    const shown = herder.views.info('a').config
    expect(shown['transforms.stamp.api.key']).toBe(secretMask)
    expect(shown['transforms.stamp.field']).toBe('at')
    await herder.writes.putConfig('a', { ...shown, 'transforms.stamp.field': 'on' })
    expect(herder.views.storedConfig('a')).toMatchObject({
      'transforms.stamp.api.key': 'S3CRET-KEY',
      'transforms.stamp.field': 'on',
    })
    expect(herder.views.masked({ ...shaped, 'transforms.stamp.type': 'gone' })).toMatchObject({
      'transforms.stamp.type': 'gone',
      'transforms.stamp.field': secretMask,
      'transforms.only.some.field': 'by',
    })
  })

  test('go with the task, each with its own settings and its predicate', async () => {
    const fixture = await start()
    await deployed(fixture, 'a', 1, shaped)
    expect(fixture.runner.running.get('a-0')!.transforms).toMatchObject([
      { alias: 'stamp', ref: { name: 'test-stamp' }, config: { field: 'at' }, negate: false },
      {
        alias: 'only.some',
        ref: { name: 'test-stamp' },
        config: { field: 'by' },
        predicate: { alias: 'late', ref: { name: 'test-is-late' }, config: { 'after.ms': '5' } },
        negate: true,
      },
    ])
  })
})

describe('plugins', () => {
  test('are listed with types and versions, converters on request', async () => {
    const { herder } = await start()
    expect(await herder.plugins.list(true)).toEqual([
      { class: 'com.acme.TestSourceConnector', type: 'source', version: '1.2.3', name: 'test-source' },
      { class: 'test-exact-source', type: 'source', version: '1.2.3', name: 'test-exact-source' },
      { class: 'test-sink', type: 'sink', version: '1.2.3', name: 'test-sink' },
    ])
    const types = (await herder.plugins.list(false)).map(({ type }) => type)
    expect(new Set(types)).toEqual(
      new Set(['source', 'sink', 'converter', 'header_converter', 'transformation', 'predicate']),
    )
    const settings = (await herder.plugins.settings('TestSource')).map(({ name }) => name)
    expect(settings).toEqual(expect.arrayContaining(['name', 'tasks.max', 'url', 'password']))
    expect((await herder.plugins.settings('json')).map(({ name }) => name)).toContain('schemas.enable')
    expect((await herder.plugins.settings('com.acme.Stamp$Value')).map(({ name }) => name)).toEqual([
      'field',
      'api.key',
    ])
    await expect(herder.plugins.settings('nope')).rejects.toThrow(/nope/)
  })
})

test('states of connectors that were deleted while no worker ran are cleared', async () => {
  const log = new MemoryLog()
  log.create('connect-status', 1, { 'cleanup.policy': 'compact' })
  log.append(
    'connect-status',
    'status-connector-gone',
    '{"state":"RUNNING","trace":null,"worker_id":"x:1","generation":3}',
  )
  log.append(
    'connect-status',
    'status-task-gone-0',
    '{"state":"RUNNING","trace":null,"worker_id":"x:1","generation":3}',
  )
  await start(log)
  await until(() => log.records('connect-status').filter(({ value }) => value === null).length === 2)
})
