/** The schema registry inside `tidewire start`. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { credentialLines } from '../../core/src/broker/sasl/credentials.ts'
import { readTopic } from '../support/read-topic.ts'
import { askRegistry } from '../support/registry.ts'
import { makeCertificates } from '../support/security.ts'
import { freePorts, newPlace, runTidewire, startPlatform, startTidewire } from '../support/tidewire.ts'

test('is there when it is asked, keeps what it was told, and makes nothing before', async () => {
  const place = await newPlace()
  const [port] = await freePorts(1)
  const args = ['--empty', '--registry-port', String(port)]
  const ask = askRegistry(`http://127.0.0.1:${port}`)
  let platform = await startPlatform(place, { args })
  try {
    expect(platform.output().stdout).toContain(`http://127.0.0.1:${port}`)
    // The first that is asked is what makes the topic; all that ask meanwhile wait for it.
    const answers = await Promise.all([1, 2, 3].map(async () => ask('GET', '/subjects')))
    expect(answers.map(({ status, body }) => [status, body as unknown])).toEqual([1, 2, 3].map(() => [200, []]))
    expect((await ask('POST', '/subjects/a/versions', { schema: '"int"' })).body).toMatchObject({ id: 1 })
    const [record] = await readTopic(place.logPort, '_schemas', (records) => records.length > 0)
    expect(record!.key).toBe('{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}')
    expect(await platform.stop()).toBe(0)
    platform = await startPlatform(place, { args })
    expect((await ask('GET', '/subjects/a/versions/latest')).body).toMatchObject({ id: 1, version: 1 })
    expect(platform.output().stderr).toBe('')
  } finally {
    await platform.stop()
    await place.remove()
  }
})

test('is not there where it is switched off; a port that is taken is told with the way out', async () => {
  const place = await newPlace()
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const port = String((taken.address() as AddressInfo).port)
  const flags = ['--data-dir', place.dataDir, '--log-port', '0', '--rest-port', '0', '--registry-port', port]
  const refused = await runTidewire(['start', ...flags, '--mqtt-port', String(place.mqttPort)])
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('--registry-port')])
  const platform = await startPlatform(place, {
    args: ['--empty', '--registry-port', port, '--registry-enabled', 'false'],
  })
  expect(platform.output().stdout).not.toContain('schemas')
  await platform.stop()
  taken.close()
  await place.remove()
})

test('has the log-ins and the certificate of REST', async () => {
  const place = await newPlace()
  const [port] = await freePorts(1)
  const { ca, serverFile } = await makeCertificates(place.dataDir)
  const users = join(place.dataDir, 'users')
  await writeFile(users, (await credentialLines('vera', 'looks')).join('\n'))
  const platform = await startTidewire([
    ...['start', '--empty', '--data-dir', place.dataDir, '--log-port', String(place.logPort)],
    ...['--mqtt-port', String(place.mqttPort), '--registry-port', String(port)],
    ...['--set', `listeners=https://127.0.0.1:${place.restPort}`, `rest.users.file=${users}`],
    ...[`listeners.https.ssl.keystore.location=${serverFile}`],
  ])
  const ask = async (method: string, auth?: string) => {
    const options = { method, ca, agent: false, ...(auth === undefined ? {} : { auth }) } as const
    const asked = request(`https://127.0.0.1:${port}/config`, options).end()
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    answer.resume()
    return answer.statusCode
  }
  try {
    expect(platform.output().stdout).toContain(`https://127.0.0.1:${port}`)
    expect(await ask('GET')).toBe(401)
    expect(await ask('GET', 'vera:looks')).toBe(200)
    expect(await ask('DELETE', 'vera:looks')).toBe(403)
  } finally {
    await platform.stop()
    await place.remove()
  }
})
