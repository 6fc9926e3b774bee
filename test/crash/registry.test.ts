/** Two schema registries on one log, the one that leads killed under load: what was acknowledged is there, once. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bundledLog, type KillableLog } from '../support/killable-log.ts'
import { registryProcess, testRegistry, type RegistryProcess } from '../support/registry.ts'
import { freePorts } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

const settings = {
  'kafkagroup.session.timeout.ms': '1500',
  'kafkagroup.heartbeat.interval.ms': '300',
  'kafkastore.topic.replication.factor': '1',
}

interface Acknowledged {
  readonly subject: string
  readonly schema: string
  readonly id: number
  readonly version: number
}

let log: KillableLog
let ports: number[]
const running: RegistryProcess[] = []

beforeEach(async () => {
  log = await bundledLog()
  ports = await freePorts(2)
  for (const [i, port] of ports.entries()) running[i] = await registryProcess(log.address, port, settings)
})

afterEach(async () => {
  await Promise.all(running.map((each) => each.kill()))
  await log.close()
})

/** The port comes first in the order of addresses, or it has stayed the leader: found out by who answers with no other. */
async function leaderIndex(): Promise<number> {
  return until('a leader', async () => {
    for (const [i, { ask }] of running.entries()) {
      const headers = { 'x-forward': 'true' }
      const answer = await ask('PUT', '/config/who-leads', { compatibility: 'NONE' }, headers).catch(() => undefined)
      if (answer?.status === 200) return { i }
    }
    return undefined
  }).then(({ i }) => i)
}

test('no version is lost, no id given twice, when leaders are killed one after the other', async () => {
  const acknowledged: Acknowledged[] = []
  let isOver = false
  // Each client has a subject of its own, and two clients at a time register the same schemas.
  const clients = Array.from({ length: 8 }, async (_, client) => {
    for (let n = 0; !isOver; n++) {
      const schema = JSON.stringify({ type: 'record', name: `R${client >> 1}n${n}`, fields: [] })
      const subject = `client-${client}`
      for (let tries = 0; !isOver; tries++) {
        const { ask } = running[(client + tries) % 2]!
        const answer = await ask('POST', `/subjects/${subject}/versions`, { schema }).catch(() => undefined)
        if (answer?.status === 200) {
          acknowledged.push({ subject, schema, id: answer.body.id, version: answer.body.version })
          break
        }
        // The connection was cut, or nobody led for too long: asked again, it is the same version.
        expect([undefined, 500, 503]).toContain(answer?.status)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  })
  await running[0]!.ask('PUT', '/config', { compatibility: 'NONE' })
  for (let kills = 0; kills < 3; kills++) {
    const before = acknowledged.length
    await until('some registrations', () => acknowledged.length >= before + 40, 60_000)
    const leader = await leaderIndex()
    await running[leader]!.kill()
    const atKill = acknowledged.length
    await until('the other to go on', () => acknowledged.length >= atKill + 10, 60_000)
    running[leader] = await registryProcess(log.address, ports[leader]!, settings)
  }
  isOver = true
  await Promise.all(clients)

  // One that reads the topic anew has the last word.
  const judge = await testRegistry(log.address, { ...settings, 'leader.eligibility': 'false' })
  try {
    const schemaOf = new Map<number, string>()
    for (const { subject, schema, id, version } of acknowledged) {
      const { body } = await judge.ask('GET', `/subjects/${subject}/versions/${version}`)
      expect(body).toMatchObject({ id, version, schema })
      expect(schemaOf.get(id) ?? schema).toBe(schema)
      schemaOf.set(id, schema)
    }
    expect(new Set([...schemaOf.values()]).size).toBe(schemaOf.size)
    for (let client = 0; client < 8; client++) {
      const { body } = await judge.ask('GET', `/subjects/client-${client}/versions`)
      expect(body).toEqual((body as number[]).map((_, i) => i + 1))
    }
    for (const { ask } of running) {
      const last = acknowledged.at(-1)!
      expect((await ask('GET', `/subjects/${last.subject}/versions/${last.version}`)).body).toMatchObject({
        id: last.id,
      })
    }
  } finally {
    await judge.close()
  }
})

test('a leader that is held while another takes over writes nothing when it comes back', async () => {
  const leader = await leaderIndex()
  const [held, other] = [running[leader]!, running[1 - leader]!]
  await held.ask('POST', '/subjects/before/versions', { schema: '"int"' })
  process.kill(held.pid, 'SIGSTOP')
  // It is in the held one's queue of connections, and the first that it sees when it comes back.
  const late = held.ask('POST', '/subjects/late/versions', { schema: '{"type":"fixed","name":"Late","size":1}' })
  const taken = await other.ask('POST', '/subjects/taken/versions', { schema: '{"type":"fixed","name":"T","size":1}' })
  expect(taken).toMatchObject({ status: 200, body: { id: 2 } })
  process.kill(held.pid, 'SIGCONT')
  expect(await late).toMatchObject({ status: 200, body: { id: 3, version: 1 } })
  for (const { ask } of [held, other]) {
    expect((await ask('GET', '/schemas/ids/2')).body.schema).toContain('"T"')
    expect((await ask('GET', '/schemas/ids/3')).body.schema).toContain('Late')
  }
})

test('a log that is killed and comes back: writes are held, then carried out', async () => {
  await running[0]!.ask('POST', '/subjects/a/versions', { schema: '"int"' })
  await log.kill()
  const written = running.map(({ ask }, i) =>
    ask('POST', `/subjects/during-${i}/versions`, { schema: `{"type":"fixed","name":"F${i}","size":1}` }),
  )
  await log.restart()
  for (const answer of await Promise.all(written)) expect(answer).toMatchObject({ status: 200, body: { version: 1 } })
  const ids = (await Promise.all(written)).map(({ body }) => body.id as number)
  expect(new Set([1, ...ids]).size).toBe(3)
})
