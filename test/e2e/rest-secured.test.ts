/** The platform with REST on https and users, as docs/security.md has it. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { readTopic } from '../support/read-topic.ts'
import { makeCertificates } from '../support/security.ts'
import { newPlace, startTidewire } from '../support/tidewire.ts'

const command = resolve(import.meta.dirname, '../../core/src/main/tidewire.mjs')

test('tidewire user makes those who may log in; the quickstart runs, and who writes is written down', async () => {
  const place = await newPlace()
  const { ca, serverFile } = await makeCertificates(place.dataDir)
  const users = join(place.dataDir, 'rest-users')
  for (const name of ['ada', 'vera']) {
    const made = promisify(execFile)(process.execPath, [command, 'user', name, '--file', users])
    made.child.stdin!.end(`${name}'s`)
    await made
  }
  const platform = await startTidewire([
    'start',
    ...['--data-dir', place.dataDir, '--log-port', String(place.logPort), '--mqtt-port', String(place.mqttPort)],
    ...['--set', `listeners=https://127.0.0.1:${place.restPort}`, `rest.users.file=${users}`, 'rest.users.admin=ada'],
    ...[`listeners.https.ssl.keystore.location=${serverFile}`],
  ])
  const ask = async (method: string, path: string, user?: string) => {
    const auth = user === undefined ? {} : { auth: `${user}:${user}'s` }
    const asked = request(`https://127.0.0.1:${place.restPort}${path}`, { method, ca, agent: false, ...auth }).end()
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    return { status: answer.statusCode, headers: answer.headers, body: await text(answer) }
  }
  try {
    expect(platform.output().stdout).toContain(`https://127.0.0.1:${place.restPort}`)
    const stranger = await ask('GET', '/')
    expect([stranger.status, stranger.headers['www-authenticate']]).toEqual([
      401,
      'Basic realm="tidewire", charset="UTF-8"',
    ])
    expect((await ask('GET', '/health')).status).toBe(200)
    const listed = await ask('GET', '/connectors', 'vera')
    expect([listed.status, JSON.parse(listed.body)]).toEqual([200, expect.arrayContaining(['mqtt-gateway'])])
    expect((await ask('PUT', '/connectors/mqtt-gateway/stop', 'vera')).status).toBe(403)
    expect((await ask('PUT', '/connectors/mqtt-gateway/stop', 'ada')).status).toBe(204)
    const written = await readTopic(place.logPort, 'connect-audit', (records) => records.length >= 2)
    expect(written.map(({ value }) => JSON.parse(value) as object)).toMatchObject([
      { user: 'vera', path: '/connectors/mqtt-gateway/stop', connector: 'mqtt-gateway', status: 403 },
      { user: 'ada', path: '/connectors/mqtt-gateway/stop', connector: 'mqtt-gateway', status: 204 },
    ])
  } finally {
    await platform.stop()
    await place.remove()
  }
})
