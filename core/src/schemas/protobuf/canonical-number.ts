const decimalText = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[fFdD]?$/
const hexText = /^-?0[xX][0-9a-fA-F]+$/

/**
 * The text of a number in an option of a normalised schema: no exponent, at most three digits after the point, rounded
 * half to even. What is no number (`-inf`) stays.
 */
export function canonicalNumber(text: string): string {
  if (hexText.test(text)) return String(BigInt(text.replace('-', '')) * (text.startsWith('-') ? -1n : 1n))
  if (/^-?\d+$/.test(text))
    return String(text.startsWith('0') && text.length > 1 && /^[0-7]+$/.test(text) ? BigInt(`0o${text}`) : BigInt(text))
  if (!decimalText.test(text)) return text
  const value = floatingPoint(text.replace(/[fFdD]$/, ''))
  return Number.isFinite(value) ? roundedHalfEven(value) : text
}

/** With few digits after the point the reference takes a number for a float, which shows where it is rounded. */
function floatingPoint(text: string): number {
  const fraction = /\.(\d*)/.exec(text)?.[1] ?? ''
  const float = Math.fround(Number(text))
  return fraction.length <= 7 && Number.isFinite(float) ? float : Number(text)
}

function roundedHalfEven(value: number): string {
  // From here on there is no fraction, and toFixed() would give an exponent.
  if (Math.abs(value) >= 1e21) return String(BigInt(value))
  const exact = Math.abs(value).toFixed(20)
  const [whole = '0', fraction = ''] = exact.split('.')
  const rest = fraction.slice(3)
  let thousandths = BigInt(whole + fraction.slice(0, 3))
  const half = `5${'0'.repeat(rest.length - 1)}`
  if (rest > half || (rest === half && thousandths % 2n === 1n)) thousandths++
  const digits = String(thousandths).padStart(4, '0')
  const sign = value < 0 ? '-' : ''
  return `${sign}${digits.slice(0, -3)}.${digits.slice(-3)}`.replace(/\.?0+$/, '')
}
