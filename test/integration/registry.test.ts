/** The schema registry's API on the bundled log, call by call, with the error codes of Confluent's. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { testRegistry, type AskRegistry, type TestRegistry } from '../support/registry.ts'

let broker: TestBroker
let registry: TestRegistry
let ask: AskRegistry
let made = 0

beforeAll(async () => {
  broker = await testBroker()
  registry = await testRegistry(broker.address)
  ask = registry.ask
})

afterAll(async () => {
  await registry.close()
  await broker.close()
})

/** A name that no other test has. */
const newSubject = (): string => `subject-${++made}`

interface Field {
  readonly name: string
  readonly type: unknown
  readonly default?: unknown
}

function record(name: string, ...fields: readonly Field[]): { schema: string } {
  return { schema: JSON.stringify({ type: 'record', name, fields }) }
}

const x: Field = { name: 'x', type: 'int' }
const y: Field = { name: 'y', type: 'int' }
const yDefault: Field = { ...y, default: 1 }

async function register(subject: string, body: object, query = ''): Promise<number> {
  const { status, body: answer } = await ask('POST', `/subjects/${encodeURIComponent(subject)}/versions${query}`, body)
  expect({ status, answer }).toMatchObject({ status: 200 })
  return answer.id as number
}

const refused = (status: number, code: number) => ({ status, body: { error_code: code } })

describe('versions', () => {
  test('are registered once, numbered, and found by all that names them', async () => {
    const [a, b] = [newSubject(), newSubject()]
    const schema = record(`V${made}`, x)
    const id = await register(a, schema)
    expect(await register(a, schema)).toBe(id)
    expect(await register(a, { schema: JSON.stringify(JSON.parse(schema.schema), null, 3) })).toBe(id)
    expect(await register(b, schema)).toBe(id)
    const next = await register(a, record(`V${made}`, x, yDefault))
    expect(next).toBeGreaterThan(id)

    expect((await ask('GET', '/subjects')).body).toEqual(expect.arrayContaining([a, b]))
    expect((await ask('GET', `/subjects/${a}/versions`)).body).toEqual([1, 2])
    const first = (await ask('GET', `/subjects/${a}/versions/1`)).body
    expect(first).toMatchObject({
      subject: a,
      version: 1,
      id,
      schemaType: 'AVRO',
      schema: schema.schema,
      deleted: false,
    })
    expect(first.guid).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect((await ask('GET', `/subjects/${a}/versions/latest`)).body).toMatchObject({ version: 2, id: next })
    expect((await ask('GET', `/subjects/${a}/versions/-1`)).body).toMatchObject({ version: 2 })
    expect((await ask('GET', `/subjects/${a}/versions/1/schema`)).body).toEqual(JSON.parse(schema.schema))
    expect((await ask('GET', `/schemas/ids/${id}`)).body).toMatchObject({ schema: schema.schema, guid: first.guid })
    expect((await ask('GET', `/schemas/ids/${id}?subject=${b}`)).body).toMatchObject({ subject: b, version: 1 })
    expect((await ask('GET', `/schemas/ids/${id}?fetchMaxId=true`)).body.maxId).toBeGreaterThanOrEqual(next)
    expect((await ask('GET', `/schemas/ids/${id}/schema`)).body).toEqual(JSON.parse(schema.schema))
    expect((await ask('GET', `/schemas/ids/${id}/subjects`)).body).toEqual([a, b])
    expect((await ask('GET', `/schemas/ids/${id}/versions`)).body).toEqual([
      { subject: a, version: 1 },
      { subject: b, version: 1 },
    ])
    expect((await ask('GET', `/schemas/guids/${first.guid}`)).body).toMatchObject({ schema: schema.schema })
    expect((await ask('GET', `/schemas/guids/${first.guid}/ids`)).body).toEqual([{ context: '.', id }])
    expect((await ask('POST', `/subjects/${a}`, schema)).body).toMatchObject({ subject: a, id, version: 1 })
    const listed = (await ask('GET', `/schemas?subjectPrefix=${a}`)).body as { subject: string; version: number }[]
    expect(listed.filter(({ subject }) => subject === a).map(({ version }) => version)).toEqual([1, 2])
    const latest = (await ask('GET', `/schemas?subjectPrefix=${a}&latestOnly=true`)).body as { subject: string }[]
    expect(latest.filter(({ subject }) => subject === a)).toHaveLength(1)
  })

  test('are not there: each with its code', async () => {
    const known = newSubject()
    await register(known, record(`N${made}`, x))
    const nowhere = newSubject()
    expect(await ask('GET', `/subjects/${nowhere}/versions`)).toMatchObject(refused(404, 40401))
    expect(await ask('GET', `/subjects/${nowhere}/versions/1`)).toMatchObject(refused(404, 40401))
    expect(await ask('GET', `/subjects/${known}/versions/7`)).toMatchObject(refused(404, 40402))
    expect(await ask('GET', `/subjects/${known}/versions/0`)).toMatchObject(refused(422, 42202))
    expect(await ask('GET', `/subjects/${known}/versions/first`)).toMatchObject(refused(422, 42202))
    expect(await ask('GET', '/schemas/ids/99999999')).toMatchObject(refused(404, 40403))
    expect(await ask('GET', '/schemas/ids/abc')).toMatchObject(refused(404, 404))
    expect(await ask('GET', `/schemas/guids/00000000-0000-0000-0000-000000000000`)).toMatchObject(refused(404, 40403))
    expect(await ask('POST', `/subjects/${nowhere}`, record('Q', x))).toMatchObject(refused(404, 40401))
    expect(await ask('POST', `/subjects/${known}`, record('Q', x))).toMatchObject(refused(404, 40403))
    expect(await ask('GET', '/nothing/here')).toMatchObject(refused(404, 404))
  })

  test('that are no schemas are refused', async () => {
    const subject = newSubject()
    const to = `/subjects/${subject}/versions`
    expect(await ask('POST', to, { schema: '{"type":"record"}' })).toMatchObject(refused(422, 42201))
    expect(await ask('POST', to, { schema: 'nonsense' })).toMatchObject(refused(422, 42201))
    expect(await ask('POST', to, { schema: '' })).toMatchObject(refused(422, 42201))
    expect(await ask('POST', to, {})).toMatchObject(refused(422, 42201))
    expect(await ask('POST', to, { schema: '"int"', schemaType: 'XML' })).toMatchObject(refused(422, 42201))
    expect(await ask('POST', to, { schema: '"int"', version: 5 })).toMatchObject(refused(422, 42201))
    expect(await ask('POST', to, { schema: '"int"', id: 5 })).toMatchObject(refused(422, 42205))
    expect(await ask('POST', to, 'null')).toMatchObject(refused(422, 422))
    expect(await ask('POST', to, '{"schema":')).toMatchObject(refused(400, 400))
    expect(await ask('POST', to, { schema: { type: 'int' } })).toMatchObject(refused(400, 400))
    expect(await ask('POST', '/subjects/a%0Ab/versions', { schema: '"int"' })).toMatchObject(refused(422, 42208))
    expect(await ask('POST', '/subjects/__GLOBAL/versions', { schema: '"int"' })).toMatchObject(refused(422, 42208))
    expect((await ask('GET', `/subjects/${subject}/versions`)).status).toBe(404)
  })

  test('subjects have any name that is no control character', async () => {
    for (const subject of ['a/b?c#d e+f%', 'größe-値', '..', `long-${'s'.repeat(2000)}`]) {
      const name = encodeURIComponent(subject).replaceAll('.', '%2E')
      expect((await ask('POST', `/subjects/${name}x/versions`, { schema: '"long"' })).status).toBe(200)
      expect((await ask('GET', `/subjects/${name}x/versions/1`)).body.subject).toBe(`${subject}x`)
    }
  })
})

describe('many at a time', () => {
  test('get one id for one schema, an id each for others, and numbers with no gap', async () => {
    const prefix = `many-${++made}-`
    const name = `Many${made}`
    const same = await Promise.all(Array.from({ length: 30 }, (_, i) => register(`${prefix}${i}`, record(name, x))))
    expect(new Set(same).size).toBe(1)
    const subject = newSubject()
    await ask('PUT', `/config/${subject}`, { compatibility: 'NONE' })
    const field = (i: number) => ({ name: `f${i}`, type: 'int' })
    const others = await Promise.all(
      Array.from({ length: 30 }, (_, i) => register(subject, record(name, field(i % 15)))),
    )
    expect(new Set(others).size).toBe(15)
    const versions = (await ask('GET', `/subjects/${subject}/versions`)).body as number[]
    expect(versions).toEqual(Array.from({ length: 15 }, (_, i) => i + 1))
  })

  test('one that the log does not take keeps the others from nothing', async () => {
    const subject = newSubject()
    const large = { ...record(`L${made}`, x), metadata: { properties: { p: 'p'.repeat(1_200_000) } } }
    const answers = await Promise.all(
      [1, 2, 3, 4, 5].map((i) =>
        ask('POST', `/subjects/${subject}-${i}/versions`, i === 3 ? large : record(`L${i}`, x)),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 422, 200, 200])
    const ids = answers.filter(({ status }) => status === 200).map(({ body }) => body.id as number)
    expect(new Set(ids).size).toBe(4)
  })
})

describe('compatibility', () => {
  test('is asked before, and kept', async () => {
    const subject = newSubject()
    const name = `C${made}`
    await register(subject, record(name, x))
    const bad = record(name, x, y)
    const at = `/compatibility/subjects/${subject}/versions`
    expect((await ask('POST', `${at}/latest`, bad)).body).toEqual({ is_compatible: false })
    const verbose = (await ask('POST', `${at}/1?verbose=true`, bad)).body
    expect(verbose.is_compatible).toBe(false)
    expect((verbose.messages as string[]).join()).toContain('READER_FIELD_MISSING_DEFAULT_VALUE')
    expect((verbose.messages as string[]).join()).toContain('{oldSchemaVersion: 1}')
    expect((await ask('POST', at, record(name, x, yDefault))).body).toEqual({ is_compatible: true })
    expect((await ask('POST', `${at}?verbose=true`, record(name, x, yDefault))).body).toEqual({
      is_compatible: true,
      messages: [],
    })
    expect((await ask('POST', `/compatibility/subjects/${newSubject()}/versions/latest`, bad)).body).toEqual({
      is_compatible: true,
    })
    expect(await ask('POST', `${at}/9`, bad)).toMatchObject(refused(404, 40402))
    expect(await ask('POST', `${at}/no`, bad)).toMatchObject(refused(422, 42202))
    expect(await ask('POST', at, { schema: '{' })).toMatchObject(refused(422, 42201))
    expect((await ask('POST', `${at}?verbose=true`, { schema: '{' })).body.is_compatible).toBe(false)

    const answer = await ask('POST', `/subjects/${subject}/versions`, bad)
    expect(answer).toMatchObject(refused(409, 40901))
    expect(answer.body.message).toContain('READER_FIELD_MISSING_DEFAULT_VALUE')
    expect(await register(subject, bad, '?force=true')).toBeGreaterThan(0)
  })

  test('of large schemas, which another thread reads', async () => {
    const subject = newSubject()
    const doc = 'd'.repeat(70_000)
    const sized = (fields: readonly Field[], of = doc) => ({
      schema: JSON.stringify({ type: 'record', name: `L${subject.slice(8)}`, doc: of, fields }),
    })
    const to = `/subjects/${subject}/versions`
    const first = sized([x])
    const id = await register(subject, first)
    expect(await register(subject, first)).toBe(id)
    expect((await ask('POST', `/subjects/${subject}`, first)).body).toMatchObject({ id, version: 1 })
    expect(await ask('POST', to, sized([x, y]))).toMatchObject(refused(409, 40901))
    expect(await ask('POST', to, sized([x, y], 'small'))).toMatchObject(refused(409, 40901))
    await ask('PUT', `/config/${subject}`, { compatibility: 'FULL_TRANSITIVE' })
    const others = await Promise.all([
      register(subject, sized([x, yDefault])),
      register(subject, sized([x, yDefault], 'small')),
      register(subject, sized([x, { ...yDefault, name: 'z' }])),
    ])
    expect(new Set(others).size).toBe(3)
    expect(await ask('POST', to, sized([x, y]))).toMatchObject(refused(409, 40901))
    expect(await ask('POST', to, { schema: `{"type":"record","doc":"${doc}"}` })).toMatchObject(refused(422, 42201))
    const normal = await ask('POST', `/subjects/${newSubject()}/versions?normalize=true`, first)
    expect(normal.body.schema).toContain(doc)
  })

  test('levels: transitive ones look at all versions', async () => {
    const subject = newSubject()
    const name = `T${made}`
    await ask('PUT', `/config/${subject}`, { compatibility: 'NONE' })
    await register(subject, record(name, x))
    await register(subject, record(name, { name: 'x', type: 'string' }))
    await register(subject, { schema: '"string"' })
    await ask('PUT', `/config/${subject}`, { compatibility: 'backward' })
    expect((await ask('POST', `/subjects/${subject}/versions`, { schema: '"bytes"' })).status).toBe(200)
    await ask('PUT', `/config/${subject}`, { compatibility: 'BACKWARD_TRANSITIVE' })
    expect(await ask('POST', `/subjects/${subject}/versions`, { schema: '["null","bytes"]' })).toMatchObject(
      refused(409, 40901),
    )
  })

  test('within groups, as metadata says', async () => {
    const subject = newSubject()
    const name = `G${made}`
    await ask('PUT', `/config/${subject}`, { compatibilityGroup: 'major' })
    await register(subject, { ...record(name, x), metadata: { properties: { major: '1' } } })
    const second = { ...record(name, x, y), metadata: { properties: { major: '2' } } }
    await register(subject, second)
    const third = { ...record(name, x, y, { name: 'z', type: 'int' }), metadata: { properties: { major: '2' } } }
    expect(await ask('POST', `/subjects/${subject}/versions`, third)).toMatchObject(refused(409, 40901))
    const found = await ask('GET', `/subjects/${subject}/metadata?key=major&value=1`)
    expect(found.body).toMatchObject({ version: 1, metadata: { properties: { major: '1' } } })
    expect(await ask('GET', `/subjects/${subject}/metadata?key=major&value=9`)).toMatchObject(refused(404, 40403))
  })
})

describe('config and mode', () => {
  test('of one subject and of all', async () => {
    const subject = newSubject()
    expect((await ask('GET', '/config')).body).toEqual({ compatibilityLevel: 'BACKWARD' })
    expect(await ask('GET', `/config/${subject}`)).toMatchObject(refused(404, 40408))
    expect((await ask('GET', `/config/${subject}?defaultToGlobal=true`)).body.compatibilityLevel).toBe('BACKWARD')
    expect((await ask('PUT', `/config/${subject}`, { compatibility: 'FULL', normalize: true })).body).toEqual({
      compatibility: 'FULL',
      normalize: true,
    })
    expect((await ask('PUT', `/config/${subject}`, { normalize: null })).body).toEqual({ compatibility: 'FULL' })
    expect((await ask('GET', `/config/${subject}`)).body).toEqual({ compatibilityLevel: 'FULL' })
    expect(await ask('PUT', `/config/${subject}`, { compatibility: 'SOME' })).toMatchObject(refused(422, 42203))
    expect((await ask('DELETE', `/config/${subject}`)).body).toEqual({ compatibilityLevel: 'FULL' })
    expect(await ask('DELETE', `/config/${subject}`)).toMatchObject(refused(404, 40401))
  })

  test('read-only, import with ids, and back', async () => {
    const subject = newSubject()
    const name = `M${made}`
    expect((await ask('GET', '/mode')).body).toEqual({ mode: 'READWRITE' })
    expect(await ask('GET', `/mode/${subject}`)).toMatchObject(refused(404, 40409))
    expect(await ask('PUT', `/mode/${subject}`, { mode: 'SOMETHING' })).toMatchObject(refused(422, 42204))
    expect(await ask('PUT', `/mode/${subject}`, { mode: 'FORWARD' })).toMatchObject(refused(422, 42204))
    expect((await ask('PUT', `/mode/${subject}`, { mode: 'READONLY' })).body).toEqual({ mode: 'READONLY' })
    expect(await ask('POST', `/subjects/${subject}/versions`, record(name, x))).toMatchObject(refused(422, 42205))
    expect(await ask('PUT', `/config/${subject}`, { compatibility: 'NONE' })).toMatchObject(refused(422, 42205))

    await ask('PUT', `/mode/${subject}`, { mode: 'IMPORT' })
    expect(await ask('POST', `/subjects/${subject}/versions`, record(name, x))).toMatchObject(refused(422, 42205))
    const imported = { ...record(name, x), id: 40_000, version: 17 }
    expect(await register(subject, imported)).toBe(40_000)
    const other = { ...record(name, y), id: 40_000, version: 18 }
    expect(await ask('POST', `/subjects/${subject}/versions`, other)).toMatchObject(refused(422, 42205))
    expect((await ask('GET', `/subjects/${subject}/versions`)).body).toEqual([17])
    expect((await ask('DELETE', `/mode/${subject}`)).body).toEqual({ mode: 'IMPORT' })
    expect(await ask('PUT', `/mode/${subject}`, { mode: 'IMPORT' })).toMatchObject(refused(422, 42205))
    expect((await ask('PUT', `/mode/${subject}?force=true`, { mode: 'IMPORT' })).status).toBe(200)
    await ask('DELETE', `/mode/${subject}`)
    expect(await register(newSubject(), record(`M${made}`, x))).toBeGreaterThan(40_000)
  })

  test('ids and versions end where clients can count no further', async () => {
    await ask('PUT', '/mode/:.end:', { mode: 'IMPORT' })
    const last = { ...record(`E${++made}`, x), id: 2 ** 31 - 1, version: 2 ** 31 - 1 }
    expect((await ask('POST', '/subjects/:.end:s/versions', last)).status).toBe(200)
    await ask('DELETE', '/mode/:.end:')
    expect(await ask('POST', '/subjects/:.end:s/versions', record(`E${made}`, x, yDefault))).toMatchObject(
      refused(422, 42202),
    )
    expect(await ask('POST', '/subjects/:.end:t/versions', record(`E${made}`, y))).toMatchObject(refused(500, 50001))
    const beyond = { ...last, id: 2 ** 31 }
    expect((await ask('POST', '/subjects/:.end:u/versions', beyond)).status).toBe(400)
    for (const query of ['', '?permanent=true']) await ask('DELETE', `/subjects/:.end:s${query}`)
    await ask('DELETE', '/contexts/.end')
  })

  test('aliases stand for their subjects', async () => {
    const [subject, alias] = [newSubject(), newSubject()]
    const id = await register(subject, record(`A${made}`, x))
    await ask('PUT', `/config/${alias}`, { alias: subject })
    expect((await ask('GET', `/subjects/${alias}/versions/1`)).body).toMatchObject({ subject, id })
    const listed = (await ask('GET', `/schemas?subjectPrefix=${alias}&aliases=true`)).body
    expect(listed).toMatchObject([{ subject, aliases: [alias] }])
  })

  test('metadata and rules: defaults, overrides, and what is kept of the version before', async () => {
    const subject = newSubject()
    const name = `D${made}`
    const rule = { name: 'r', kind: 'CONDITION', type: 'CEL', mode: 'WRITE', expr: 'true' }
    await ask('PUT', `/config/${subject}`, {
      defaultMetadata: { properties: { owner: 'nobody', team: 'a' } },
      overrideRuleSet: { domainRules: [rule] },
    })
    const body = { ...record(name, x), metadata: { properties: { owner: 'me' }, tags: { x: ['PII', 'B'] } } }
    await register(subject, body)
    const found = (await ask('GET', `/subjects/${subject}/versions/1`)).body
    expect(found.metadata).toEqual({ properties: { owner: 'me', team: 'a' }, tags: { x: ['B', 'PII'] } })
    expect(found.ruleSet.domainRules).toEqual([{ ...rule, disabled: false }])
    expect((await ask('GET', `/schemas?subjectPrefix=${subject}&ruleType=CEL`)).body).toHaveLength(1)
    expect((await ask('GET', `/schemas?subjectPrefix=${subject}&ruleType=JSONATA`)).body).toHaveLength(0)
    expect(await register(subject, record(name, x))).toBe(found.id)
    const wrong = { ...record(name, x), ruleSet: { domainRules: [{ ...rule, mode: 'UPGRADE' }] } }
    expect(await ask('POST', `/subjects/${subject}/versions`, wrong)).toMatchObject(refused(422, 42210))
    const numbered = { ...record(name, x, yDefault), version: -1 }
    await register(subject, numbered)
    expect((await ask('GET', `/subjects/${subject}/versions/2`)).body.metadata.properties).toMatchObject({
      'confluent:version': '2',
      owner: 'me',
    })
    // The schema of the latest version, with other metadata.
    await register(subject, { metadata: { properties: { owner: 'you' } } })
    expect((await ask('GET', `/subjects/${subject}/versions/latest`)).body).toMatchObject({
      version: 3,
      schema: numbered.schema,
      metadata: { properties: { owner: 'you' } },
    })
  })
})

describe('deleting', () => {
  test('a version: softly, then for good', async () => {
    const subject = newSubject()
    const name = `X${made}`
    const id = await register(subject, record(name, x))
    await register(subject, record(name, x, yDefault))
    expect(await ask('DELETE', `/subjects/${subject}/versions/1?permanent=true`)).toMatchObject(refused(404, 40407))
    expect((await ask('DELETE', `/subjects/${subject}/versions/1`)).body).toBe(1)
    expect(await ask('DELETE', `/subjects/${subject}/versions/1`)).toMatchObject(refused(404, 40406))
    expect((await ask('GET', `/subjects/${subject}/versions`)).body).toEqual([2])
    expect((await ask('GET', `/subjects/${subject}/versions?deleted=true`)).body).toEqual([1, 2])
    expect((await ask('GET', `/subjects/${subject}/versions?deletedOnly=true`)).body).toEqual([1])
    expect((await ask('GET', `/subjects/${subject}/versions?deletedAsNegative=true`)).body).toEqual([-1, 2])
    expect(await ask('GET', `/subjects/${subject}/versions/1`)).toMatchObject(refused(404, 40402))
    expect((await ask('GET', `/subjects/${subject}/versions/1?deleted=true`)).body).toMatchObject({ deleted: true })
    expect((await ask('GET', `/schemas/ids/${id}`)).status).toBe(200)
    expect((await ask('GET', `/schemas/ids/${id}/versions`)).body).toEqual([])
    expect((await ask('GET', `/schemas/ids/${id}/versions?deleted=true`)).body).toEqual([{ subject, version: 1 }])
    expect(await ask('POST', `/subjects/${subject}`, record(name, x))).toMatchObject(refused(404, 40403))
    expect((await ask('POST', `/subjects/${subject}?deleted=true`, record(name, x))).body.version).toBe(1)
    expect((await ask('DELETE', `/subjects/${subject}/versions/1?permanent=true`)).body).toBe(1)
    expect(await ask('GET', `/schemas/ids/${id}`)).toMatchObject(refused(404, 40403))
    expect(await ask('DELETE', `/subjects/${subject}/versions/9`)).toMatchObject(refused(404, 40402))
    expect(await ask('DELETE', `/subjects/${newSubject()}/versions/1`)).toMatchObject(refused(404, 40401))
  })

  test('what is registered again keeps its id, and the old version goes', async () => {
    const subject = newSubject()
    const schema = record(`Y${made}`, x)
    const id = await register(subject, schema)
    await ask('DELETE', `/subjects/${subject}/versions/1`)
    expect(await register(subject, schema)).toBe(id)
    expect((await ask('GET', `/subjects/${subject}/versions?deleted=true`)).body).toEqual([2])
  })

  test('a subject, with its config', async () => {
    const subject = newSubject()
    const name = `Z${made}`
    await register(subject, record(name, x))
    await register(subject, record(name, x, yDefault))
    await ask('PUT', `/config/${subject}`, { compatibility: 'FULL' })
    expect(await ask('DELETE', `/subjects/${subject}?permanent=true`)).toMatchObject(refused(404, 40405))
    expect((await ask('DELETE', `/subjects/${subject}`)).body).toEqual([1, 2])
    expect(await ask('DELETE', `/subjects/${subject}`)).toMatchObject(refused(404, 40404))
    expect((await ask('GET', '/subjects')).body).not.toContain(subject)
    expect((await ask('GET', '/subjects?deleted=true')).body).toContain(subject)
    expect((await ask('GET', '/subjects?deletedOnly=true')).body).toContain(subject)
    expect((await ask('DELETE', `/subjects/${subject}?permanent=true`)).body).toEqual([1, 2])
    expect(await ask('DELETE', `/subjects/${subject}?permanent=true`)).toMatchObject(refused(404, 40401))
    expect(await ask('GET', `/config/${subject}`)).toMatchObject(refused(404, 40408))
  })

  test('a subject without a name takes nothing along that holds for a whole context', async () => {
    for (const [context, subject] of [
      ['', ''],
      ['/:.kept:', ':.kept:'],
    ] as const) {
      await ask('PUT', `/config${context}`, { compatibility: 'FULL' })
      expect((await ask('POST', `/subjects/${subject}/versions`, record('Nameless', x))).status).toBe(200)
      for (const query of ['', '?permanent=true']) {
        expect((await ask('DELETE', `/subjects/${subject}/versions/1${query}`)).status).toBe(200)
      }
      expect((await ask('GET', `/config${context}`)).body).toMatchObject({ compatibilityLevel: 'FULL' })
      await ask('POST', `/subjects/${subject}-named/versions`, record('Named', x))
      expect((await ask('DELETE', `/subjects/${subject}?permanent=true`)).status).toBe(404)
      expect((await ask('GET', `/config${context}`)).body).toMatchObject({ compatibilityLevel: 'FULL' })
      await ask('DELETE', `/config${context}`)
      for (const query of ['', '?permanent=true']) await ask('DELETE', `/subjects/${subject}-named${query}`)
    }
    expect((await ask('DELETE', '/contexts/kept')).status).toBe(204)
  })

  test('what others refer to stays', async () => {
    const [inner, outer] = [newSubject(), newSubject()]
    const name = `In${made}`
    await register(inner, record(name, x))
    const references = [{ name, subject: inner, version: 1 }]
    const id = await register(outer, { ...record(`Out${made}`, { name: 'i', type: name }), references })
    expect((await ask('GET', `/subjects/${outer}/versions/1`)).body.references).toEqual(references)
    expect((await ask('GET', `/subjects/${inner}/versions/1/referencedby`)).body).toEqual([id])
    expect(await ask('DELETE', `/subjects/${inner}/versions/1`)).toMatchObject(refused(422, 42206))
    expect(await ask('DELETE', `/subjects/${inner}`)).toMatchObject(refused(422, 42206))
    const resolved = await ask('GET', `/schemas/ids/${id}?format=resolved`)
    expect(JSON.parse(resolved.body.schema as string).fields[0].type.name).toBe(name)
    // Sent with all that it refers to put in, it is the same.
    const inlined = { schema: resolved.body.schema as string }
    expect((await ask('POST', `/subjects/${outer}`, inlined)).body).toMatchObject({ id, version: 1 })
    await ask('DELETE', `/subjects/${outer}`)
    expect((await ask('DELETE', `/subjects/${inner}`)).status).toBe(200)
    expect(await ask('DELETE', `/subjects/${inner}?permanent=true`)).toMatchObject(refused(422, 42206))
    const unknown = { ...record('U', { name: 'i', type: 'N' }), references: [{ name: 'N', subject: 'no', version: 1 }] }
    expect(await ask('POST', `/subjects/${newSubject()}/versions`, unknown)).toMatchObject(refused(422, 42201))
  })
})

describe('contexts', () => {
  test('are worlds of their own', async () => {
    const name = `K${++made}`
    const id = await register(newSubject(), record(name, x))
    const inside = (await ask('POST', '/contexts/.first/subjects/s/versions', record(`${name}i`, x))).body
    expect(inside.id).toBe(1)
    expect((await ask('POST', '/subjects/:.first:s/versions', record(`${name}i`, x, yDefault))).body.id).toBe(2)
    expect((await ask('GET', '/contexts/:.first:/subjects')).body).toEqual([':.first:s'])
    expect((await ask('GET', '/subjects?subjectPrefix=:.first:')).body).toEqual([':.first:s'])
    expect((await ask('GET', '/subjects')).body).toContain(':.first:s')
    expect((await ask('GET', '/subjects?subjectPrefix=')).body).not.toContain(':.first:s')
    expect((await ask('GET', '/contexts')).body).toEqual(['.', '.first'])
    expect((await ask('GET', '/contexts/first/schemas/ids/2')).body).toMatchObject({ version: 2, subject: ':.first:s' })
    expect((await ask('GET', '/schemas/ids/1?subject=:.first:')).body.schema).toContain(`${name}i`)
    expect((await ask('GET', `/contexts/.first/schemas/ids/${id + 1}`)).status).toBe(404)
    await ask('PUT', '/contexts/.first/config', { compatibility: 'NONE' })
    expect((await ask('GET', '/config/:.first:')).body).toEqual({ compatibilityLevel: 'NONE' })
    expect((await ask('GET', '/contexts/.first/config/s?defaultToGlobal=true')).body.compatibilityLevel).toBe('NONE')
    expect((await ask('GET', '/contexts/.first/mode?defaultToGlobal=true')).body.mode).toBe('READWRITE')
    expect(await ask('DELETE', '/contexts/.first')).toMatchObject(refused(422, 42211))
    await ask('DELETE', '/contexts/.first/subjects/s')
    await ask('DELETE', '/contexts/.first/subjects/s?permanent=true')
    expect((await ask('DELETE', '/contexts/.first')).status).toBe(204)
    expect((await ask('GET', '/contexts')).body).toEqual(['.'])
    expect((await ask('GET', '/contexts/a:b/subjects')).status).toBe(400)
  })
})

describe('the server', () => {
  test('speaks the types of the API', async () => {
    const type = async (accept?: string) =>
      (await ask('GET', '/subjects', undefined, accept === undefined ? {} : { accept })).headers.get('content-type')
    expect(await type('*/*')).toBe('application/vnd.schemaregistry.v1+json')
    expect(await type('application/json')).toBe('application/json')
    expect(await type('application/vnd.schemaregistry.v1+json, application/json;q=0.5')).toBe(
      'application/vnd.schemaregistry.v1+json',
    )
    expect((await ask('GET', '/subjects', undefined, { accept: 'text/html' })).status).toBe(406)
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    expect(await ask('POST', '/subjects/f/versions', '{"schema":"\\"int\\""}', form)).toMatchObject(refused(415, 415))
    const octets = { 'content-type': 'application/octet-stream' }
    expect((await ask('POST', `/subjects/${newSubject()}/versions`, '{"schema":"\\"int\\""}', octets)).status).toBe(200)
  })

  test('says what it is', async () => {
    expect((await ask('GET', '/')).body).toEqual({})
    expect(((await ask('GET', '/schemas/types')).body as string[]).toSorted()).toEqual(['AVRO', 'JSON', 'PROTOBUF'])
    expect((await ask('GET', '/v1/metadata/id')).body.scope.clusters['schema-registry-cluster']).toBe('schema-registry')
    expect((await ask('GET', '/v1/metadata/version')).body.version).toMatch(/^\d+\./)
  })

  test('says what it is not', async () => {
    const absent: [string, string, string][] = [
      ['GET', '/associations/resources/lkc-1/topic', 'Associations'],
      ['POST', '/associations:batch', 'Associations'],
      ['GET', '/exporters', 'exporters'],
      ['POST', '/dek-registry/v1/keks', 'DEK'],
      ['GET', '/catalog/v1/types/tagdefs', 'catalog'],
      ['POST', '/contexts/.c/subjects/s/versions/1/tags', 'Tags'],
    ]
    for (const [method, path, name] of absent) {
      const answer = await ask(method, path, method === 'POST' ? {} : undefined)
      expect(answer).toMatchObject({ status: 404, body: { error_code: 404 } })
      expect(answer.body.message).toContain(name)
    }
  })

  test('pages its lists', async () => {
    const prefix = `page-${++made}-`
    for (const i of [1, 2, 3]) await register(`${prefix}${i}`, record(`P${made}`, x))
    const at = (query: string) => ask('GET', `/subjects?subjectPrefix=${prefix}&${query}`)
    expect((await at('limit=2')).body).toEqual([`${prefix}1`, `${prefix}2`])
    expect((await at('offset=2')).body).toEqual([`${prefix}3`])
    expect((await at('offset=1&limit=1')).body).toEqual([`${prefix}2`])
  })

  test('knows JSON Schema', async () => {
    const subject = newSubject()
    const text = (type: string) => JSON.stringify({ type: 'object', properties: { a: { type } } })
    const schemaType = 'JSON'
    const id = await register(subject, { schemaType, schema: text('integer') })
    expect((await ask('GET', `/schemas/ids/${id}`)).body).toMatchObject({ schemaType, schema: text('integer') })
    await register(subject, { schemaType, schema: text('number') })
    const refusal = await ask('POST', `/subjects/${subject}/versions`, { schemaType, schema: text('string') })
    expect(refusal).toMatchObject(refused(409, 40901))
    expect(refusal.body.message).toContain('TYPE_CHANGED')
    const sorted = { schemaType, schema: '{"type":"string","description":"d"}' }
    const normal = await ask('POST', `/subjects/${newSubject()}/versions?normalize=true`, sorted)
    expect(normal.body.schema).toBe('{"description":"d","type":"string"}')
  })

  test('knows Protobuf', async () => {
    const subject = newSubject()
    const schema = 'syntax = "proto3"; message A { int32 x = 1; }'
    const id = await register(subject, { schemaType: 'PROTOBUF', schema })
    expect((await ask('GET', `/schemas/ids/${id}`)).body).toMatchObject({ schemaType: 'PROTOBUF' })
    expect((await ask('POST', `/subjects/${subject}`, { schemaType: 'PROTOBUF', schema })).body.id).toBe(id)
    const other = { schemaType: 'PROTOBUF', schema: 'syntax = "proto3"; message A { string x = 1; }' }
    expect(await ask('POST', `/subjects/${subject}/versions`, other)).toMatchObject(refused(409, 40901))
    expect(await ask('POST', `/subjects/${subject}/versions`, { schema: '"int"' })).toMatchObject(refused(409, 40901))
  })
})
