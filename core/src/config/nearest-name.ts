/** The known name closest to a mistyped one, or undefined where none is close enough to be what was meant. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  // A third of the letters may differ: enough for a slip or a forgotten prefix, too little for another word.
  let best = Math.max(1, Math.floor(name.length / 3)) + 1
  let nearest: string | undefined
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) >= best) continue
    const distance = levenshtein(name.toLowerCase(), candidate.toLowerCase())
    if (distance < best) {
      best = distance
      nearest = candidate
    }
  }
  return nearest
}

function levenshtein(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
