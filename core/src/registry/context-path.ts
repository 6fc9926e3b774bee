/**
 * The API below `/contexts/{context}` is the same as above it, with every subject in that context. Requests for it are
 * rewritten to what they stand for before a route is looked for.
 */
import { everyContext, prefixOfContext } from './qualified-subject.ts'

/**
 * @param url path and query, as they came: percent-encoded
 * @throws TypeError where the context is none
 */
export function withoutContextPath(url: string): string {
  const at = url.indexOf('?')
  const path = at < 0 ? url : url.slice(0, at)
  const query = at < 0 ? '' : url.slice(at + 1)
  const match = /^\/contexts\/([^/]+)(\/.*)?$/.exec(path)
  if (match === null) return url
  const prefix = prefixOfContext(decode(match[1]!))
  const segments = (match[2] ?? '').split('/').filter((segment) => segment !== '')
  // The context itself, which can be deleted.
  if (segments.length === 0) return url
  return `${pathWithin(segments, prefix)}${queryWithin(segments, prefix, query)}`
}

function pathWithin(segments: readonly string[], prefix: string): string {
  const subjectAt = segments[0] === 'config' || segments[0] === 'mode' ? 1 : segments.indexOf('subjects') + 1
  if (subjectAt === 0) return `/${segments.join('/')}`
  const subject = segments[subjectAt]
  // The config or the mode of the context; all subjects have the context in their query.
  if (subject === undefined) {
    return `/${[...segments, ...(segments[0] === 'subjects' || prefix === '' ? [] : [encodeURIComponent(prefix)])].join('/')}`
  }
  const within = namesContext(decode(subject)) ? subject : encodeURIComponent(prefix) + subject
  return `/${segments.with(subjectAt, within).join('/')}`
}

function queryWithin(segments: readonly string[], prefix: string, query: string): string {
  const parameters = new URLSearchParams(query)
  const name = parameterOf(segments)
  if (name !== undefined) {
    const given = parameters.get(name) ?? ''
    if (!namesContext(given)) parameters.set(name, prefix + given)
  }
  const text = parameters.toString()
  return text === '' ? '' : `?${text}`
}

/** Which parameter names subjects, where the path does not. */
function parameterOf([first, second, ...others]: readonly string[]): string | undefined {
  if (first === 'schemas' && second === 'ids') return 'subject'
  const isList = (first === 'schemas' || first === 'subjects') && second === undefined && others.length === 0
  return isList ? 'subjectPrefix' : undefined
}

function namesContext(subject: string): boolean {
  return subject.startsWith(':.') || subject.startsWith(everyContext)
}

/** @throws TypeError */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    throw new TypeError(`'${segment}' is not percent-encoded as it has to be`, { cause: error })
  }
}
