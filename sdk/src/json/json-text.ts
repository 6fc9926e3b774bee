/**
 * The escapes in which Jackson, and so Kafka Connect, differs from JSON.stringify: upper-case hex digits, and characters
 * outside the basic plane as two escaped surrogates.
 */
const differs = /[\ud800-\udfff]|\\u00[01][a-f]/
const escapes = /[\ud800-\udfff]|\\(?:u00[01][a-f]|.)/g

/** JSON text as JSON.stringify makes it → the text that Kafka Connect writes for the same value. */
export function asJackson(text: string): string {
  if (!differs.test(text)) return text
  return text.replace(escapes, (match) => {
    if (match.length === 1) return `\\u${match.charCodeAt(0).toString(16).toUpperCase()}`
    return match.length === 2 ? match : `\\u${match.slice(2).toUpperCase()}`
  })
}

/** Characters that make a string's JSON text more than the string in quotes. */

const escaped = /["\\\u0000-\u001f\ud800-\udfff]/

/** A string in JSON, as Kafka Connect writes it. */
export function quote(text: string): string {
  return escaped.test(text) ? asJackson(JSON.stringify(text)) : `"${text}"`
}
