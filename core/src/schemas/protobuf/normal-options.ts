import type { ProtoField, ProtoMessage, ProtoOption, ProtoOptionValue, ProtoRange } from './proto-tree.ts'
import { allFields } from './proto-tree.ts'
import { canonicalNumber } from './canonical-number.ts'
import type { ProtoScope } from './proto-scope.ts'

/**
 * Options in the order of their names. A custom option has its full name, and what sets parts of the same option
 * (`(a).b = 1, (a).c = 2`) is one message.
 */
export function normalOptions(
  options: readonly ProtoOption[],
  scope: ProtoScope,
  within: string,
): readonly ProtoOption[] {
  if (options.length === 0) return options
  const named = options.map((option): ProtoOption => {
    const fullName = option.isCustom ? scope.resolveExtension(option.name, within) : undefined
    return fullName === undefined ? option : { name: fullName, isCustom: true, value: asMessage(option.value) }
  })
  const byName = Map.groupBy(named.toSorted(byNames), ({ name }) => name)
  return [...byName].flatMap(([name, same]) => {
    const field = scope.extension(name)
    const merged = field === undefined || field.label === 'repeated' ? same : [mergeAll(same, field, scope, within)]
    return merged.map((option) => ({ ...option, value: normalValue(option.value, scope, within) }))
  })
}

/** Numbers first, by their beginnings, then names. */
export function inNormalOrder(values: readonly (string | ProtoRange)[]): readonly (string | ProtoRange)[] {
  const first = (value: string | ProtoRange) =>
    typeof value === 'string' ? Number.MAX_SAFE_INTEGER : typeof value === 'number' ? value : value.first
  const text = (value: string | ProtoRange) =>
    typeof value === 'object' ? `${value.first}..${value.last}` : String(value)
  return values.toSorted((a, b) => first(a) - first(b) || compare(text(a), text(b)))
}

function byNames(a: ProtoOption, b: ProtoOption): number {
  return compare(a.name, b.name)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

function asMessage(value: ProtoOptionValue): ProtoOptionValue {
  if (value.kind !== 'part') return value
  const { name, isCustom, value: inner } = value.option
  return { kind: 'message', entries: new Map([[isCustom ? `[${name}]` : name, asMessage(inner)]]) }
}

function mergeAll(same: readonly ProtoOption[], field: ProtoField, scope: ProtoScope, within: string): ProtoOption {
  return same.reduce((before, option) =>
    before.value.kind === 'message' && option.value.kind === 'message'
      ? {
          ...option,
          value: mergedMessages(before.value.entries, option.value.entries, messageOf(field, scope, within), scope),
        }
      : option,
  )
}

type Entries = ReadonlyMap<string, ProtoOptionValue>

function mergedMessages(
  before: Entries,
  after: Entries,
  type: TypeInScope | undefined,
  scope: ProtoScope,
): ProtoOptionValue {
  const entries = new Map(before)
  for (const [key, value] of after) {
    const earlier = entries.get(key)
    const field = type === undefined ? undefined : allFields(type.message).find(({ name }) => name === key)
    entries.set(key, earlier === undefined ? value : mergedValues(earlier, value, field, type, scope))
  }
  return { kind: 'message', entries }
}

/** A field that is not repeated takes the last value, or both messages in one; any other has the values of both. */
function mergedValues(
  before: ProtoOptionValue,
  after: ProtoOptionValue,
  field: ProtoField | undefined,
  type: TypeInScope | undefined,
  scope: ProtoScope,
): ProtoOptionValue {
  if (field === undefined || field.label === 'repeated') {
    const items = [...itemsOf(before), ...itemsOf(after)]
    const distinct = new Map(items.map((item) => [JSON.stringify(item), item]))
    return { kind: 'list', items: [...distinct.values()] }
  }
  const fieldType = messageOf(field, scope, type?.fullName ?? '')
  if (fieldType === undefined || before.kind !== 'message' || after.kind !== 'message') return after
  return mergedMessages(before.entries, after.entries, fieldType, scope)
}

function itemsOf(value: ProtoOptionValue): readonly ProtoOptionValue[] {
  return value.kind === 'list' ? value.items : [value]
}

interface TypeInScope {
  readonly fullName: string
  readonly message: ProtoMessage
}

function messageOf(field: ProtoField, scope: ProtoScope, within: string): TypeInScope | undefined {
  const declared = scope.resolve(field.type, within)
  return declared?.type.kind === 'message' ? { fullName: declared.fullName, message: declared.type } : undefined
}

function normalValue(value: ProtoOptionValue, scope: ProtoScope, within: string): ProtoOptionValue {
  if (value.kind === 'number') return { kind: 'number', text: canonicalNumber(value.text) }
  if (value.kind === 'list') return { kind: 'list', items: value.items.map((item) => normalItem(item, scope, within)) }
  if (value.kind === 'part')
    return { kind: 'part', option: { ...value.option, value: normalValue(value.option.value, scope, within) } }
  if (value.kind !== 'message') return value
  const entries = [...value.entries]
    .filter(([, entry]) => entry.kind !== 'list' || entry.items.length > 0)
    .map(([key, entry]): [string, ProtoOptionValue] => [
      normalKey(key, scope, within),
      normalItem(entry, scope, within),
    ])
  return { kind: 'message', entries: new Map(entries.toSorted(([a], [b]) => compare(a, b))) }
}

/** Inside of messages and lists a list of one is that one. */
function normalItem(value: ProtoOptionValue, scope: ProtoScope, within: string): ProtoOptionValue {
  if (value.kind === 'list' && value.items.length === 1 && value.items[0] !== undefined) {
    return normalItem(value.items[0], scope, within)
  }
  return normalValue(value, scope, within)
}

function normalKey(key: string, scope: ProtoScope, within: string): string {
  if (!key.startsWith('[')) return key
  const fullName = scope.resolveExtension(key.slice(1, -1), within)
  return fullName === undefined ? key : `[${fullName}]`
}
