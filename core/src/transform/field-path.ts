/**
 * The steps of a field path in the notation of KIP-821 (`field.syntax.version=V2`): dots part the steps, and a step in
 * backticks may hold dots itself. Within backticks a backtick that is followed by a dot and meant as it stands is
 * written `` \` ``; one that no dot follows needs no backslash.
 * @throws RangeError where a backtick is not closed
 */
export function parseFieldPath(path: string): readonly string[] {
  const steps: string[] = []
  let at = 0
  while (at < path.length) {
    if (path[at] === '`') {
      at = quotedStep(path, at, steps)
      continue
    }
    const dot = path.indexOf('.', at)
    steps.push(dot === -1 ? path.slice(at) : path.slice(at, dot))
    if (dot === -1) break
    at = dot + 1
  }
  if (path.endsWith('.')) steps.push('')
  return steps
}

/** Takes the step whose opening backtick stands at `open`. @returns where the next one begins */
function quotedStep(path: string, open: number, steps: string[]): number {
  let step = ''
  let start = open + 1
  for (let at = path.indexOf('`', start); at !== -1; at = path.indexOf('`', at + 1)) {
    const isEscaped = path[at - 1] === '\\'
    const isLast = at === path.length - 1
    if (isLast && !isEscaped) {
      steps.push(step + path.slice(start, at))
      return path.length
    }
    if (path[at + 1] !== '.') continue
    if (!isEscaped) {
      steps.push(step + path.slice(start, at))
      return at + 2
    }
    step += `${path.slice(start, at - 1)}\``
    start = at + 1
  }
  throw new RangeError(
    `field path ${path}: the backtick at ${open} is not closed; one that is meant as it stands needs a backslash`,
  )
}
