import type { Setting, Settings } from '@tidewire/sdk'

/** One setting as Kafka Connect's REST API describes it. */
export interface ConfigKeyInfo {
  readonly name: string
  readonly type: string
  readonly required: boolean
  readonly default_value: string | null
  readonly importance: string
  readonly documentation: string
  readonly group: string | null
  readonly width: string
  readonly display_name: string
  readonly dependents: readonly string[]
  /** Position within the group; -1 without one. */
  readonly order_in_group: number
}

/** A declaration in the words of Kafka Connect's `/connector-plugins/{plugin}/config`. */
export function kafkaDefinition(settings: Settings): ConfigKeyInfo[] {
  const ordered = new Map<string, number>()
  return Object.entries(settings).map(([name, setting]) => {
    const group = setting.group ?? null
    const order = group === null ? -1 : (ordered.get(group) ?? 0) + 1
    if (group !== null) ordered.set(group, order)
    return {
      name,
      type: setting.type.toUpperCase(),
      required: setting.required === true,
      default_value: defaultText(setting),
      importance: (setting.importance ?? 'medium').toUpperCase(),
      documentation: setting.doc,
      group,
      width: 'NONE',
      display_name: setting.displayName ?? name,
      dependents: [],
      order_in_group: order,
    }
  })
}

function defaultText({ type, default: value }: Setting): string | null {
  if (value === undefined) return null
  if (type === 'password') return '[hidden]'
  return typeof value === 'object' ? value.join(',') : String(value)
}
