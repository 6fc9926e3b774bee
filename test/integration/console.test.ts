/** The console in a real browser, on a real worker and log. */
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { chromiumPath, startBrowser } from '../support/browser.ts'
import { missingProgram } from '../support/programs.ts'
import { freePorts, runTidewire } from '../support/tidewire.ts'
import { testWorker, type TestWorker } from '../support/worker.ts'

const missing = await missingProgram([chromiumPath() ?? 'chromium', '--version'])

describe.skipIf(missing !== undefined)('the console', () => {
  let browser: Browser
  let broker: TestBroker
  let worker: TestWorker
  let folder: string
  let input: string
  let page: Page

  const source = (topic: string) => ({
    'connector.class': 'file-source',
    file: input,
    topic,
    'value.converter': 'string',
  })

  /** A page with nothing of another's; what its browser complains of is a failure. */
  const open = async (url: string): Promise<Page> => {
    const context = await browser.newContext()
    const opened = await context.newPage()
    const complaints: string[] = []
    opened.on('pageerror', (error) => complaints.push(error.message))
    opened.on('console', (message) => {
      // An answer with an error is the test's own doing.
      const isAnswer = message.text().startsWith('Failed to load resource')
      if (message.type() === 'error' && !isAnswer) complaints.push(message.text())
    })
    opened.on('dialog', (dialog) => {
      complaints.push(`a dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    onTestFinished(async () => {
      await context.close()
      expect(complaints).toEqual([])
    })
    await opened.goto(url)
    return opened
  }
  const seen = async (locator: Locator): Promise<void> => locator.first().waitFor()
  const press = async (name: string): Promise<void> => page.getByRole('button', { name, exact: true }).click()
  const rowOf = (text: string): Locator => page.getByRole('row').filter({ hasText: text })

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
    input = join(folder, 'in.txt')
    await writeFile(input, 'one\ntwo\n')
    broker = await testBroker()
    worker = await testWorker(broker.address)
    browser = await startBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await worker.close()
    await broker.close()
    await rm(folder, { recursive: true, force: true })
  })
  beforeEach(async () => {
    page = await open(worker.url)
    page.setDefaultTimeout(30_000)
  })

  test('lists connectors, and shows what happens elsewhere without being loaded anew, or asking again', async () => {
    await seen(page.getByText('No connector yet.'))
    const asked: string[] = []
    page.on('request', (request) => asked.push(new URL(request.url()).pathname))
    await worker.deploy('elsewhere', source('elsewhere'))
    await seen(rowOf('elsewhere').getByText('1 running'))
    await worker.ask('PUT', '/connectors/elsewhere/pause')
    await seen(rowOf('elsewhere').getByText('1 paused'))
    await worker.ask('DELETE', '/connectors/elsewhere')
    await seen(page.getByText('No connector yet.'))
    // What an event does not tell of a new connector is read; the list never is.
    expect(asked).not.toContain('/connectors')
    expect(asked).toContain('/connectors/elsewhere')
  })

  test('creates a connector with a form, whose errors stand beside the settings', async () => {
    await seen(page.getByText('No connector yet.'))
    await page.getByRole('link', { name: 'New connector' }).click()
    await page.getByRole('link', { name: 'file-source', exact: true }).click()
    await page.getByLabel('Name', { exact: true }).fill(' made ')
    await page.getByLabel('topic needed').fill('made-lines')
    await press('Create')
    const file = page.getByLabel('file needed')
    await expect.poll(() => file.getAttribute('aria-invalid')).toBe('true')
    expect(await page.locator('[aria-invalid]:focus').getAttribute('id')).toBe(await file.getAttribute('id'))
    const invalid = { 'connector.class': 'file-source', name: 'made', topic: 'made-lines' }
    const checked = await worker.ask('PUT', '/connector-plugins/file-source/config/validate', invalid)
    const { configs } = checked.body as { configs: { value: { name: string; errors: string[] } }[] }
    const told = configs.find(({ value }) => value.name === 'file')!.value.errors.join('\n')
    expect(told).not.toBe('')
    expect(await page.locator('.setting', { has: file }).locator('.error').textContent()).toBe(told)
    expect((await worker.ask('GET', '/connectors/made')).status).toBe(404)
    await file.fill(input)
    // What is seldom set is folded away.
    expect(await page.getByLabel('value.converter Value converter class').isVisible()).toBe(false)
    await press('Edit as JSON')
    const json = page.getByLabel('Config as JSON')
    await json.fill(JSON.stringify({ ...(JSON.parse(await json.inputValue()) as object), 'value.converter': 'string' }))
    await press('Create')
    await seen(page.getByRole('heading', { name: 'made' }))
    await seen(rowOf('127.0.0.1').getByText('RUNNING'))
    expect(await worker.reaches('made', 'RUNNING', 1)).toMatchObject({ type: 'source' })
  })

  test('pauses, stops, changes offsets, resumes and deletes', async () => {
    await worker.deploy('run', source('run-lines'))
    await worker.reaches('run', 'RUNNING', 1)
    await page.getByRole('link', { name: 'run', exact: true }).click()
    const task = rowOf('127.0.0.1')
    await seen(task.getByText('RUNNING'))
    await press('Pause')
    await seen(task.getByText('PAUSED'))
    await press('Stop')
    await seen(page.getByText('It has no tasks now.'))
    await page.getByRole('link', { name: 'Offsets' }).click()
    await page.getByLabel('Begin from').selectOption('offset')
    await page.getByLabel('Offset', { exact: true }).fill('4')
    await page.getByRole('button', { name: 'Set', exact: true }).click()
    await seen(page.getByText('{"position":4}'))
    await press('Resume')
    await worker.reaches('run', 'RUNNING', 1)
    await press('Delete…')
    await seen(page.getByRole('dialog', { name: 'Delete connector run?' }))
    await page.keyboard.press('Escape')
    expect((await worker.ask('GET', '/connectors/run')).status).toBe(200)
    await press('Delete…')
    await press('Delete')
    await seen(page.getByText('run is deleted'))
    expect((await worker.ask('GET', '/connectors/run')).status).toBe(404)
  })

  test('edits a config: what is wrong is not saved, and a masked secret stays', async () => {
    // One that no provider is asked for, and that nobody listens at: it is never used here.
    const config = {
      'connector.class': 'mqtt-source',
      'mqtt.server.uri': 'tcp://127.0.0.1:1',
      'mqtt.topics': 'a',
      'kafka.topic': 'mqtt-lines',
      'mqtt.username': 'u',
      'mqtt.password': 'tr0ub4dor',
    }
    const created = await worker.ask('POST', '/connectors', { name: 'secret', config, initial_state: 'STOPPED' })
    expect([created.status, JSON.stringify(created.body)]).toEqual([201, expect.not.stringContaining('tr0ub4dor')])
    await page.goto(`${worker.url}/#/connectors/secret/edit`)
    const tasks = page.getByLabel('tasks.max', { exact: false }).first()
    await tasks.fill('many')
    await press('Save')
    await expect.poll(() => tasks.getAttribute('aria-invalid')).toBe('true')
    expect(await worker.ask('GET', '/connectors/secret/config')).toMatchObject({
      body: { 'mqtt.password': '********' },
    })
    expect((await worker.ask('GET', '/connectors/secret/config')).body).not.toHaveProperty(['tasks.max'])
    await tasks.fill('1')
    const saved = page.waitForRequest(
      (request) => request.method() === 'PUT' && request.url().endsWith('/secret/config'),
    )
    await press('Save')
    await seen(page.getByText('the config is saved'))
    expect((await saved).postDataJSON()).toMatchObject({ 'mqtt.password': '********', 'tasks.max': '1' })
    expect(await page.content()).not.toContain('tr0ub4dor')
    await worker.ask('DELETE', '/connectors/secret')
  })

  test('names and records are text, whatever they hold', async () => {
    const name = '<img src=x onerror=alert(1)>'
    await appendFile(input, '<script>alert(2)</script><img src=x onerror=alert(3)>\n')
    await worker.deploy(name, { ...source('hostile'), file: input, note: '"><svg onload=alert(4)>' })
    await worker.reaches(name, 'RUNNING', 1)
    await page.getByRole('link', { name }).click()
    await seen(page.getByRole('heading', { name }))
    const tabs = page.getByRole('navigation', { name: `Pages of ${name}` })
    for (const tab of ['Config', 'Edit', 'Offsets', 'Dead letters', 'Topics']) {
      await tabs.getByRole('link', { name: tab, exact: true }).click()
      await seen(tabs.locator('[aria-current]').getByText(tab))
    }
    await seen(page.getByRole('link', { name: 'Tail of hostile' }))
    await page.getByRole('link', { name: 'Tail of hostile' }).click()
    await page.getByLabel('From').selectOption('earliest')
    await press('Show')
    await seen(page.getByText('<script>alert(2)</script><img src=x onerror=alert(3)>'))
    expect(await page.locator('main img, main svg, main script').count()).toBe(0)
    await worker.ask('DELETE', `/connectors/${encodeURIComponent(name)}`)
  })

  test('shows the tail of a topic as it grows', async () => {
    await worker.deploy('tailed', source('tailed-lines'))
    await worker.reaches('tailed', 'RUNNING', 1)
    await page.goto(`${worker.url}/#/topics/tailed-lines`)
    await seen(page.getByText('Records are shown as they come'))
    await appendFile(input, 'a line of now\n')
    await seen(rowOf('a line of now'))
    await worker.ask('DELETE', '/connectors/tailed')
  })

  test('shows dead letters, and puts them back once the cause is mended', async () => {
    await worker.deploy('letters-in', source('letters'))
    await worker.reaches('letters-in', 'RUNNING', 1)
    const sink = {
      'connector.class': 'file-sink',
      file: join(folder, 'letters.txt'),
      topics: 'letters',
      'errors.tolerance': 'all',
      'errors.deadletterqueue.topic.name': 'letters-dead',
      'errors.deadletterqueue.topic.replication.factor': '1',
    }
    await worker.deploy('letters-out', { ...sink, 'value.converter': 'json' })
    await worker.reaches('letters-out', 'RUNNING', 1)
    await page.goto(`${worker.url}/#/connectors/letters-out/dead-letters`)
    await expect
      .poll(async () => {
        await press('Read again')
        return page.getByText(/Topic letters-dead holds [1-9]/).count()
      })
      .toBe(1)
    await seen(page.getByRole('row').filter({ hasText: 'one' }))
    await worker.deploy('letters-out', { ...sink, 'value.converter': 'string' })
    await worker.reaches('letters-out', 'RUNNING', 1)
    await page.getByLabel('Choose letter 0:0').check()
    await press('Put the chosen back')
    await seen(page.getByText('1 delivered'))
    await press('Put all back')
    await seen(page.getByText(/^[2-9]\d* delivered$/))
    await worker.ask('DELETE', '/connectors/letters-out')
    await worker.ask('DELETE', '/connectors/letters-in')
  })

  test('shows the trace of what failed, and restarts a task', async () => {
    await worker.deploy('no-json', source('no-json'))
    await worker.reaches('no-json', 'RUNNING', 1)
    const sink = { 'connector.class': 'file-sink', file: join(folder, 'out.txt'), topics: 'no-json' }
    await worker.deploy('failing', { ...sink, 'value.converter': 'json' })
    await page.goto(`${worker.url}/#/connectors/failing`)
    await seen(rowOf('127.0.0.1').getByText('FAILED'))
    await seen(page.locator('pre').getByText(/no-json/))
    await press('Restart task 0')
    await seen(page.getByText('the restart of task 0 is under way'))
    await worker.ask('DELETE', '/connectors/failing')
    await worker.ask('DELETE', '/connectors/no-json')
  })

  test('tells that the worker is away, and takes up where it was', async () => {
    const log = await testBroker()
    onTestFinished(async () => log.close())
    const listeners = `http://127.0.0.1:${(await freePorts(1))[0]}`
    const other = await testWorker(log.address, { listeners })
    const shown = await open(other.url)
    await seen(shown.getByText('No connector yet.'))
    await other.close()
    await seen(shown.getByText('What is shown may be old'))
    const again = await testWorker(log.address, { listeners })
    onTestFinished(async () => again.close())
    await again.deploy('back', source('back-lines'))
    await seen(shown.getByRole('link', { name: 'back', exact: true }))
    await shown.getByText('What is shown may be old').waitFor({ state: 'hidden' })
  })

  test('asks for a log-in where there is access control, and tells what a role may not', async () => {
    const users = join(folder, 'users')
    for (const name of ['ada', 'vera']) {
      expect((await runTidewire(['user', name, '--file', users], { input: `${name}'s` })).code).toBe(0)
    }
    const log = await testBroker()
    onTestFinished(async () => log.close())
    const closed = await testWorker(log.address, {
      'rest.users.file': users,
      'rest.users.admin': 'ada',
    })
    onTestFinished(async () => closed.close())
    const basic = `Basic ${Buffer.from("ada:ada's").toString('base64')}`
    const made = await fetch(`${closed.url}/connectors/guarded/config`, {
      method: 'PUT',
      headers: { authorization: basic, 'content-type': 'application/json' },
      body: JSON.stringify(source('guarded-lines')),
    })
    expect(made.status).toBe(201)
    page = await open(closed.url)
    page.setDefaultTimeout(30_000)
    await page.getByLabel('Name', { exact: true }).fill('vera')
    await page.getByLabel('Password', { exact: true }).fill('wrong')
    await press('Log in')
    await seen(page.getByText('The name or the password is wrong'))
    await page.getByLabel('Password', { exact: true }).fill("vera's")
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'guarded' }).click()
    await press('Pause')
    await seen(page.getByRole('alert').getByText('Not allowed: This needs the role operate'))
    // Kept for this tab alone, and in no address.
    expect(page.url()).not.toContain('vera')
    expect(await page.evaluate(() => localStorage.length)).toBe(0)
    expect(await page.context().cookies()).toEqual([])
    await press('Log out')
    await seen(page.getByRole('heading', { name: 'Log in' }))
    await page.getByLabel('Log in by').selectOption('token')
    await page.getByLabel('Token', { exact: true }).fill('a.b.c')
    const asked = page.waitForRequest((request) => request.headers()['authorization'] === 'Bearer a.b.c')
    await press('Log in')
    await asked
    await seen(page.getByText('This worker does not know this kind of Authorization'))
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0)
  })

  test('the description of the API is a page too', async () => {
    await page.goto(`${worker.url}/docs`)
    await seen(page.getByText('/connectors/{name}/status'))
  })
})
