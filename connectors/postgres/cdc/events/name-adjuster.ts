/** Makes a name such that Avro takes it, or leaves it alone. */
export type NameAdjuster = (name: string) => string

/** `schema.name.adjustment.mode` and `field.name.adjustment.mode`. */
export type AdjustmentMode = 'none' | 'avro' | 'avro_unicode'

/** For names of schemas, in which points part a namespace from a name. */
export function schemaNameAdjuster(mode: AdjustmentMode): NameAdjuster {
  return adjuster(mode, /[.]/)
}

/** For names of fields, which have no points. */
export function fieldNameAdjuster(mode: AdjustmentMode): NameAdjuster {
  return adjuster(mode, /[^\s\S]/)
}

/** @param inside what may stand within a name beside letters and digits */
function adjuster(mode: AdjustmentMode, inside: RegExp): NameAdjuster {
  if (mode === 'none') return (name) => name
  // With `avro_unicode` an underscore begins an escape, so that it has to be one itself.
  const isFirst = mode === 'avro' ? /[A-Za-z_]/ : /[A-Za-z]/
  const replaced = mode === 'avro' ? () => '_' : escapedChar
  return (name) => {
    let adjusted = ''
    for (let index = 0; index < name.length; index++) {
      const char = name[index]!
      const isDigit = char >= '0' && char <= '9'
      if (isFirst.test(char) || (index > 0 && (isDigit || inside.test(char)))) adjusted += char
      else if (mode === 'avro' && isDigit) adjusted += `_${char}`
      else adjusted += replaced(char)
    }
    return adjusted
  }
}

/** As Debezium writes it: two or four hexadecimal digits where the character has so many, and three where it has three. */
export function escapedChar(char: string): string {
  const hex = char.charCodeAt(0).toString(16)
  return `_u${hex.length <= 2 ? `00${hex}` : hex}`
}
