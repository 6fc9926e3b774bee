/** Asks who the user is, where the worker wants to know. */
import { RestClientError } from '../core/src/rest-client/rest-client.ts'
import { fill, labelled, listen, make, options } from './dom.ts'
import { describeError, onSubmit } from './notices.ts'
import { basic, clientOf, forget, remember } from './session.ts'

/** @param done called once the worker takes the log-in */
export function logInPage(reason: string, done: () => void): HTMLElement {
  const kind = make('select')
  options(kind, [
    ['basic', 'name and password'],
    ['token', 'token'],
  ])
  const user = make('input', { autocomplete: 'username', spellcheck: 'false' })
  const password = make('input', { type: 'password', autocomplete: 'current-password' })
  const token = make('input', { type: 'password', autocomplete: 'off' })
  const [byName, byToken] = [
    make('div', {}, labelled('Name', user), labelled('Password', password)),
    labelled('Token', token),
  ]
  const show = (): void => {
    byName.hidden = kind.value !== 'basic'
    byToken.hidden = kind.value !== 'token'
  }
  listen(kind, 'change', show)
  show()
  const problem = make('p', { class: 'error', role: 'alert' }, reason)
  const form = make(
    'form',
    { class: 'card pad narrow' },
    labelled('Log in by', kind),
    byName,
    byToken,
    problem,
    make('button', { type: 'submit', class: 'primary' }, 'Log in'),
  )
  onSubmit(form, async () => {
    remember(kind.value === 'token' ? `Bearer ${token.value.trim()}` : basic(user.value, password.value))
    try {
      await clientOf().call('GET /')
    } catch (error) {
      // Who is known, and may not look, is told so by the pages.
      if (!(error instanceof RestClientError && error.status === 403)) {
        forget()
        fill(problem, describeError(error))
        return
      }
    }
    done()
  })
  return make('section', {}, make('h1', { tabindex: -1 }, 'Log in'), form)
}
