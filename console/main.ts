/** The console: which page is shown, and what all pages have in common. */
import { chooseTopic, topicTail } from './topic-tail.ts'
import { choosePlugin, newConnector } from './new-connector.ts'
import { connectorList } from './connector-list.ts'
import { connectorPage } from './connector-page.ts'
import { fill, find, hrefOf, listen, make } from './dom.ts'
import { Live } from './live.ts'
import { logInPage } from './log-in.ts'
import { clearNotices, logInNeeded, tell } from './notices.ts'
import type { Console, Page } from './page.ts'
import { pluginsPage } from './plugins-page.ts'
import { clientOf, forget, isLoggedIn } from './session.ts'
import { workersPage } from './workers-page.ts'

const view = find('#view')
const away = find('#away')
const logOut = find('#log-out')
/** Undefined while nothing is known, or nobody is logged in. */
let live: Live | undefined
let isKnown = false
let page: Page | undefined
let over = new AbortController()

function pageOf(app: Console): Page {
  const [kind = 'connectors', name, part] = location.hash.replace(/^#\/?/, '').split('/').map(decoded)
  switch (kind) {
    case 'new':
      return name === undefined ? choosePlugin(app) : newConnector(app, name)
    case 'topics':
      return name === undefined ? chooseTopic(app) : topicTail(app, name)
    case 'workers':
      return workersPage(app)
    case 'plugins':
      return pluginsPage(app)
    default:
      return name === undefined || name === '' ? connectorList(app) : connectorPage(app, name, part)
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const client = () => clientOf((text) => tell(text))

function show(): void {
  over.abort()
  over = new AbortController()
  clearNotices()
  if (live === undefined || !isKnown) return
  page = pageOf({ client: client(), state: live.state, signal: over.signal, go })
  present(page.title, page.element)
  const [, kind = 'connectors'] = location.hash.split('/')
  for (const each of document.querySelectorAll('#pages a')) {
    const isThis = each.getAttribute('href') === hrefOf(kind === '' ? 'connectors' : kind)
    each.ariaCurrent = isThis ? 'page' : null
  }
}

function present(title: string, element: HTMLElement): void {
  document.title = `${title} · Tidewire`
  fill(view, element)
  // Whoever reads by ear is told of the new page.
  view.querySelector('h1')?.focus()
}

function go(...path: readonly string[]): void {
  const href = hrefOf(...path)
  if (location.hash === href) show()
  else {
    // At once, so that what is told next is told on that page.
    history.pushState(null, '', href)
    show()
  }
}

function start(): void {
  live?.close()
  isKnown = false
  logOut.hidden = !isLoggedIn()
  fill(view, make('p', { class: 'soft' }, 'Reading the state of the cluster…'))
  live = new Live({
    client: client(),
    onChange: (connector) => {
      if (!isKnown) {
        isKnown = true
        show()
      } else page?.changed?.(connector)
    },
    onAway: (reason) => {
      away.hidden = reason === undefined
      fill(away, `What is shown may be old: ${reason ?? ''}. Trying again…`)
      document.body.classList.toggle('away', reason !== undefined)
    },
    onLogIn: (error) => askWho(isLoggedIn() ? error.message : ''),
  })
  void describeWorker()
}

async function describeWorker(): Promise<void> {
  try {
    const { version, kafka_cluster_id: log } = await client().call('GET /')
    fill(find('#about'), `Version ${version}, log ${log}`)
  } catch {
    // The stream of events tells why.
    fill(find('#about'))
  }
}

function askWho(reason: string): void {
  live?.close()
  live = undefined
  over.abort()
  forget()
  logOut.hidden = true
  away.hidden = true
  clearNotices()
  present('Log in', logInPage(reason, start))
}

listen(logOut, 'click', () => askWho(''))
addEventListener(logInNeeded, () => askWho('The log-in has come to its end'))
addEventListener('hashchange', show)
start()
