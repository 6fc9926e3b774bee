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
  const value = Number(text.replace(/[fFdD]$/, ''))
  return Number.isFinite(value) ? roundedHalfEven(value) : text
}

function roundedHalfEven(value: number): string {
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
