import type { ProtoOption, ProtoOptionValue } from './proto-tree.ts'
import type { ProtoReader } from './proto-reader.ts'

/** How deep options may hold messages and lists. */
const maxDepth = 100

/** `[a = 1, (b).c = 2]`, if there is any. */
export function parseOptions(reader: ProtoReader): readonly ProtoOption[] {
  if (!reader.take('[')) return []
  const options: ProtoOption[] = []
  do options.push(parseOption(reader, '='))
  while (reader.take(','))
  reader.expect(']')
  return options
}

/** `option a = 1;`, after its first word. */
export function parseOptionStatement(reader: ProtoReader): ProtoOption {
  const option = parseOption(reader, '=')
  reader.expect(';')
  return option
}

/** @param separator `=`, and `:` in the text format, where a message needs none */
function parseOption(reader: ProtoReader, separator: '=' | ':', depth = 0): ProtoOption {
  const { name, isCustom } = optionName(reader)
  const parts: { name: string; isCustom: boolean }[] = []
  while (reader.take('.')) parts.push(optionName(reader, false))
  if (!(separator === ':' && reader.peek() === '{')) reader.expect(separator)
  let value = parseValue(reader, depth + 1)
  for (const part of parts.reverse()) value = { kind: 'part', option: { ...part, value } }
  return { name, isCustom, value }
}

function optionName(reader: ProtoReader, dots = true): { name: string; isCustom: boolean } {
  if (reader.take('(')) {
    const name = reader.word()
    reader.expect(')')
    return { name, isCustom: true }
  }
  if (reader.take('[')) {
    const name = `[${reader.word()}]`
    reader.expect(']')
    return { name, isCustom: false }
  }
  return { name: reader.word(dots), isCustom: false }
}

function parseValue(reader: ProtoReader, depth: number): ProtoOptionValue {
  if (depth > maxDepth) throw reader.error('options are nested too deep')
  const sign = reader.peek()
  if (sign === '{') return { kind: 'message', entries: parseMessage(reader, depth) }
  if (sign === '[') return { kind: 'list', items: parseList(reader, depth) }
  if (sign === '"' || sign === "'") return { kind: 'string', text: reader.quoted() }
  const text = reader.word()
  return { kind: /^[-\d]/.test(sign) ? 'number' : 'word', text }
}

function parseList(reader: ProtoReader, depth: number): ProtoOptionValue[] {
  const items: ProtoOptionValue[] = []
  reader.expect('[')
  while (!reader.take(']')) {
    items.push(parseValue(reader, depth + 1))
    if (!reader.take(',') && reader.peek() !== ']') throw reader.error("expected ',' or ']'")
  }
  return items
}

/** A key that comes again makes a list of its values. */
function parseMessage(reader: ProtoReader, depth: number): ReadonlyMap<string, ProtoOptionValue> {
  const entries = new Map<string, ProtoOptionValue>()
  reader.expect('{')
  while (!reader.take('}')) {
    const { name, value } = parseOption(reader, ':', depth)
    const before = entries.get(name)
    if (value.kind === 'part') entries.set(name, withPart(before, value.option))
    else
      entries.set(name, before === undefined ? value : { kind: 'list', items: [...itemsOf(before), ...itemsOf(value)] })
    if (!reader.take(',')) reader.take(';')
  }
  return entries
}

function withPart(before: ProtoOptionValue | undefined, { name, value }: ProtoOption): ProtoOptionValue {
  const entries = new Map(before?.kind === 'message' ? before.entries : undefined)
  return { kind: 'message', entries: entries.set(name, value) }
}

function itemsOf(value: ProtoOptionValue): readonly ProtoOptionValue[] {
  return value.kind === 'list' ? value.items : [value]
}
