/** How the console reaches its worker, and who it says that the user is. */
import { parseExactly } from '../core/src/rest-client/exact-json.ts'
import { RestClient } from '../core/src/rest-client/rest-client.ts'

const key = 'tidewire.authorization'

/** Where the page came from; below a path, where something stands between. */
export const workerUrl = new URL('.', document.baseURI).href

/** @param onWarning gets what the worker has to say about a config */
export function clientOf(onWarning: (text: string) => void = () => undefined): RestClient {
  const authorization = sessionStorage.getItem(key)
  return new RestClient({
    url: workerUrl,
    ...(authorization === null ? {} : { authorization }),
    // So that the browser opens no form of its own where a log-in is needed.
    headers: { 'x-requested-with': 'tidewire-console' },
    parse: parseExactly,
    onWarning,
  })
}

export function isLoggedIn(): boolean {
  return sessionStorage.getItem(key) !== null
}

/** For this tab, until it is closed: neither in a cookie nor in an address. */
export function remember(authorization: string): void {
  sessionStorage.setItem(key, authorization)
}

export function forget(): void {
  sessionStorage.removeItem(key)
}

export function basic(user: string, password: string): string {
  const bytes = new TextEncoder().encode(`${user}:${password}`)
  return `Basic ${btoa(String.fromCharCode(...bytes))}`
}
