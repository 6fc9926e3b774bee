// TypeScript's library does not know it yet.
const rawJson = (JSON as unknown as { readonly rawJSON?: (text: string) => unknown }).rawJSON

/**
 * JSON whose numbers are written (by `JSON.stringify`) with the digits that they came with: a record's may have more than
 * a number holds. A browser that cannot do that yet gets plain numbers.
 */
export function parseExactly(json: string): unknown {
  if (rawJson === undefined) return JSON.parse(json)
  return JSON.parse(json, (_, value: unknown, { source }: { source?: string } = {}) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? rawJson(source) : value,
  )
}
