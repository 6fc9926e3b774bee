/** The content types of the API: one JSON under three names. */

/** The most specific first, which is what an answer has where the client leaves it open. */
const answerTypes = [
  'application/vnd.schemaregistry.v1+json',
  'application/vnd.schemaregistry+json',
  'application/json',
] as const

/** Of bodies of requests. */
export const requestTypes: readonly string[] = [...answerTypes, 'application/octet-stream']

/**
 * What an answer is sent as. Of what a client takes equally gladly it is the first.
 * @param accept of the request
 * @returns undefined where the client takes none of them
 */
export function answerType(accept: string | undefined): string | undefined {
  if (accept === undefined || accept.trim() === '') return answerTypes[0]
  const ranges = accept.split(',').map(parseRange)
  let best: { type: string; quality: number } | undefined
  for (const type of answerTypes) {
    const quality = qualityOf(type, ranges)
    if (quality > (best?.quality ?? 0)) best = { type, quality }
  }
  return best?.type
}

interface MediaRange {
  readonly name: string
  readonly quality: number
}

function parseRange(text: string): MediaRange {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const given = parameters.find((parameter) => parameter.startsWith('q='))
  const quality = given === undefined ? 1 : Number(given.slice(2))
  return { name, quality: Number.isFinite(quality) ? quality : 0 }
}

/** The most exact range counts. */
function qualityOf(type: string, ranges: readonly MediaRange[]): number {
  const find = (name: string): number | undefined => ranges.find((range) => range.name === name)?.quality
  return find(type) ?? find('application/*') ?? find('*/*') ?? 0
}
