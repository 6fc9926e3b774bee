import type { ProtoOption, ProtoOptionValue } from './proto-tree.ts'

const letters: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
}

/** `option a = 1;` */
export function optionStatement(option: ProtoOption): string {
  return `option ${optionText(option)};\n`
}

/** `[a = 1]`; several stand in a line each. */
export function optionList(options: readonly ProtoOption[]): string {
  return listText(options.map(optionText))
}

function optionText({ name, isCustom, value }: ProtoOption): string {
  const shown = isCustom ? `(${name})` : name
  if (value.kind === 'part') return `${shown}.${optionText(value.option)}`
  if (value.kind === 'list') return `${shown} = ${listText(value.items.map(valueText))}`
  return `${shown} = ${valueText(value)}`
}

function valueText(value: ProtoOptionValue): string {
  switch (value.kind) {
    case 'string':
      return `"${value.text.replaceAll(/[\u0007\b\f\n\r\t\v\\'"]/g, (letter) => letters[letter] ?? letter)}"`
    case 'number':
    case 'word':
      return value.text
    case 'message':
      return `{\n${lines([...value.entries].map(([key, entry]) => `${key}: ${valueText(entry)}`))}}`
    case 'list':
      return `[\n${lines(value.items.map(valueText))}]`
    case 'part':
      return optionText(value.option)
  }
}

function listText(items: readonly string[]): string {
  return items.length === 1 ? `[${items[0] ?? ''}]` : `[\n${lines(items)}]`
}

function lines(items: readonly string[]): string {
  return items.map((item, at) => `${indented(item)}${at < items.length - 1 ? ',' : ''}\n`).join('')
}

/** Each line two spaces further in, those that are empty too. */
export function indented(text: string): string {
  return text.replaceAll(/^/gm, '  ').replace(/\n +$/, '\n')
}
