/** Floating-point numbers as Java prints them: a double is `1.0` and `1.0E10` there, never `1` and `10000000000`. */

/** Double.toString (its shortest form, as from JDK 19 on). */
export function doubleText(value: number): string {
  if (isPlainFraction(value)) return String(value)
  if (Number.isInteger(value) && value > -1e7 && value < 1e7) return Object.is(value, -0) ? '-0.0' : `${value}.0`
  if (!Number.isFinite(value)) return nonFiniteText(value)
  return javaFloatForm(value, value.toString())
}

/** Whether a number is written alike in Java and JavaScript: with a point, and without an exponent. */
function isPlainFraction(value: number): boolean {
  const magnitude = Math.abs(value)
  return magnitude >= 1e-3 && magnitude < 1e7 && Math.trunc(magnitude) !== magnitude
}

/** Float.toString. */
export function floatText(value: number): string {
  const single = Math.fround(value)
  if (Number.isInteger(single) && single > -1e7 && single < 1e7) return doubleText(single)
  if (!Number.isFinite(single)) return nonFiniteText(single)
  // The shortest decimal that reads back as the same float32: nine digits always do, and six are no more than it says but
  // where it is subnormal.
  let digits = Math.abs(single) < 2 ** -126 ? 1 : 6
  while (digits < 9 && Math.fround(Number(single.toPrecision(digits))) !== single) digits++
  return javaFloatForm(single, Number(single.toPrecision(digits)).toString())
}

function nonFiniteText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  return value > 0 ? 'Infinity' : '-Infinity'
}

/** From JavaScript's shortest digits to Java's layout: plain from 10^−3 up to 10^7, else `d.dddE±n`. */
function javaFloatForm(value: number, text: string): string {
  if (isPlainFraction(value)) return text
  const magnitude = Math.abs(value)
  const [mantissa = '', exponentText] = text.split('e')
  const sign = value < 0 ? '-' : ''
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.')
  const leading = /^0*/.exec(whole + fraction)![0].length
  const digits = (whole + fraction).slice(leading).replace(/0+$/, '')
  if (digits.length === 1) {
    // Java gives two digits at least, the second as near as can be: 4.9E-324 where one would do for JavaScript.
    const [two = '', exponent] = magnitude.toExponential(1).split('e')
    return `${sign}${two}E${Number(exponent)}`
  }
  const exponent = Number(exponentText ?? 0) + whole.length - 1 - leading
  return `${sign}${digits[0]!}.${digits.slice(1)}E${exponent}`
}
